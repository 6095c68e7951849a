"""Text burned into pixels: which images are likely to show a name."""
