# Manual pages
