// Logcheck holds a log to what it said, with Go's own code for transparency logs (golang.org/x/mod/sumdb) and none of
// waxseal's.
//
//	logcheck tiles [-seen FOLDER] LOG KEY [ACKNOWLEDGED]
//	logcheck ct [-seen FOLDER] URL KEY
//	logcheck entries BUNDLE…
//	logcheck add v1|v2 URL COUNT
//
// "tiles" reads C2SP tlog-tiles below LOG, an address or a folder, and KEY, a PEM file (PKIX, Ed25519 or ECDSA P-256).
// The checkpoint's signature, every tile and every entry are checked, and that every line of ACKNOWLEDGED is in the tree.
// Such a line is the index in this log, and, after a space, what is there: a leaf hash in hexadecimal, or something
// that ends with one, as Rekor's entry IDs do. "ct" reads the API of RFC 6962 below URL.
//
// FOLDER keeps every tree head that was seen, one file each: the next call wants proof that its tree extends all of them.
//
// "entries" prints lines for ACKNOWLEDGED from Sigstore bundles, "add" logs new entries at Rekor's API below URL and prints
// a line for each that was acknowledged.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "logcheck:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	usage := fmt.Errorf("usage: logcheck tiles|ct [-seen FOLDER] LOG KEY [ACKNOWLEDGED] | entries BUNDLE… | add v1|v2 URL COUNT")
	if len(args) == 0 {
		return usage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	seen := flags.String("seen", "", "keep tree heads in this `folder`, and hold the log to those that are there")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "tiles" && (flags.NArg() == 2 || flags.NArg() == 3):
		return checkTiles(flags.Arg(0), flags.Arg(1), flags.Arg(2), heads{*seen})
	case args[0] == "ct" && flags.NArg() == 2:
		return checkCT(flags.Arg(0), flags.Arg(1), heads{*seen})
	case args[0] == "entries":
		return bundleEntries(flags.Args())
	case args[0] == "add" && flags.NArg() == 3:
		return add(flags.Arg(0), flags.Arg(1), flags.Arg(2))
	}
	return usage
}
