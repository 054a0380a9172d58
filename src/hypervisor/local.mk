# hypervisor: sources are listed here
