# deputy: sources are listed here
