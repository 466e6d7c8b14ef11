"""What makes an installation of the course, and what checks one."""
