"""The VQA² model, its data path, trainer and scoring. The only package that imports torch."""

import logging

# PEFT imports it, in any run, and on some processors it asks its user then to install what fetches code from the Hub.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
