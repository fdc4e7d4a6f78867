"""What people say of clips: annotations derived from ground truth, and (optional extra) expert annotation projects."""
