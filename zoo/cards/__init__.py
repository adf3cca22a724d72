"""Model cards and what licences allow."""
