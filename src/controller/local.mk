# controller: sources are listed here
