# cluster: sources are listed here
