"""Measures Kedge against Postfix and against bare floors, in one run on one machine. See README.md here.

  account     processor time and memory of a process tree
  tools       the load generator, the sink and the floors (the C programs here)
  zones       signed zones and the resolver for the delivery rows
  peer        Postfix
  ours        Kedge
  rows        what is measured
  run         the command
  hosted      MX zones, edges and customers for hosting at scale
  hosting     the command for that
"""
