"""What a job may not reach: `confinement` puts the parts together, and tests them by trying."""
