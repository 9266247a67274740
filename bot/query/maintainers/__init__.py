"""Reads MAINTAINERS files, and answers whose a patch is as get_maintainer.pl does."""
