"""Speed, memory and thoroughness of `dicom-assets deidentify` beside other tools; see README.md."""
