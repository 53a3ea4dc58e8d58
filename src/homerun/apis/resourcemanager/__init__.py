"""Resource Manager, as far as gcloud needs it: what is the number of this project?"""
