package rpc_test

import "flag"

// -update rewrites the golden files.
var _ = flag.Bool("update", false, "rewrite golden files")
