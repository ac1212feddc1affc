// What launcher.sh and loader.cjs do for the Node build: the name that the command was called by, and a
// command line to call it again.
process.env.TSRUN_ARGV0 = process.argv0
process.argv[0] = process.argv[1] = process.execPath
