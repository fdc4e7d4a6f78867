"""From raw clips and label tables to a checked corpus folder: sources, video reading, distortions, engine, build."""
