package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint is C2SP tlog-checkpoint: a signed note of origin, size and root hash.
func openCheckpoint(checkpoint []byte, key interface{}) (tree tlog.Tree, err error) {
	// The names in the signature lines are claims; only the key is known.
	name := signerName(checkpoint)
	verifier, err := newVerifier(name, key)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return tree, fmt.Errorf("the checkpoint: %w", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tree, fmt.Errorf("not a checkpoint: %q", opened.Text)
	}
	if lines[0] != name && !strings.HasPrefix(lines[0], name+" - ") {
		return tree, fmt.Errorf("signed by %q, the origin is %q", name, lines[0])
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || strconv.FormatInt(tree.N, 10) != lines[1] {
		return tree, fmt.Errorf("not a tree size: %q", lines[1])
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func signerName(checkpoint []byte) string {
	text := string(checkpoint)
	if start := strings.LastIndex(text, "\n\n— "); start >= 0 {
		fields := strings.Fields(text[start:])
		if len(fields) > 2 {
			return fields[1]
		}
	}
	return ""
}

func readKey(file string) (interface{}, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: not a PEM file", file)
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// newVerifier is Go's own for Ed25519. For ECDSA, of which signed-note says nothing, the key ID is as Rekor has it: the
// beginning of the SHA-256 of the PKIX key.
func newVerifier(name string, key interface{}) (note.Verifier, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		text, err := note.NewEd25519VerifierKey(name, key)
		if err != nil {
			return nil, err
		}
		return note.NewVerifier(text)
	case *ecdsa.PublicKey:
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(der)
		return ecdsaVerifier{name, binary.BigEndian.Uint32(digest[:]), key}, nil
	}
	return nil, fmt.Errorf("no log has a %T", key)
}

type ecdsaVerifier struct {
	name string
	hash uint32
	key  *ecdsa.PublicKey
}

func (v ecdsaVerifier) Name() string    { return v.name }
func (v ecdsaVerifier) KeyHash() uint32 { return v.hash }
func (v ecdsaVerifier) Verify(text, signature []byte) bool {
	digest := sha256.Sum256(text)
	return ecdsa.VerifyASN1(v.key, digest[:], signature)
}

// heads is a folder with a file a tree head that was seen, whose name is its size and whose content its root hash.
type heads struct{ folder string }

// check holds a tree to all earlier ones, and keeps it.
func (h heads) check(tree tlog.Tree, prove func(old int64) (tlog.TreeProof, error)) (int, error) {
	if h.folder == "" {
		return 0, nil
	}
	if err := os.MkdirAll(h.folder, 0o700); err != nil {
		return 0, err
	}
	files, err := os.ReadDir(h.folder)
	if err != nil {
		return 0, err
	}
	checked := 0
	for _, file := range files {
		size, err := strconv.ParseInt(file.Name(), 10, 64)
		if err != nil {
			return 0, err
		}
		text, err := os.ReadFile(filepath.Join(h.folder, file.Name()))
		if err != nil {
			return 0, err
		}
		root, err := tlog.ParseHash(strings.TrimSpace(string(text)))
		if err != nil {
			return 0, err
		}
		if size > tree.N {
			return 0, fmt.Errorf("the log shrank from %d to %d", size, tree.N)
		}
		if size == 0 {
			continue // every tree extends the empty one, and there is no proof of it
		}
		proof, err := prove(size)
		if err != nil {
			return 0, fmt.Errorf("from %d to %d: %w", size, tree.N, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return 0, fmt.Errorf("the tree of %d does not extend that of %d: %w", tree.N, size, err)
		}
		checked++
	}
	file := filepath.Join(h.folder, strconv.FormatInt(tree.N, 10))
	return checked, os.WriteFile(file, []byte(tree.Hash.String()+"\n"), 0o600)
}
