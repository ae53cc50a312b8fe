package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// checkCT is RFC 6962 §4, of whose structures Go's tlog reads the proofs.
func checkCT(base, keyFile string, seen heads) error {
	api := strings.TrimSuffix(base, "/") + "/ct/v1/"
	tree, err := signedTreeHead(api, keyFile)
	if err != nil {
		return err
	}
	for index := int64(0); index < tree.N; index++ {
		var answer struct {
			Entries []struct {
				LeafInput []byte `json:"leaf_input"`
			}
		}
		if err := getJSON(fmt.Sprintf("%sget-entries?start=%d&end=%d", api, index, index), &answer); err != nil {
			return err
		}
		if len(answer.Entries) != 1 {
			return fmt.Errorf("entry %d came %d times", index, len(answer.Entries))
		}
		hash := tlog.RecordHash(answer.Entries[0].LeafInput)
		var proof struct {
			LeafIndex int64            `json:"leaf_index"`
			AuditPath tlog.RecordProof `json:"audit_path"`
		}
		query := fmt.Sprintf("tree_size=%d&hash=%s", tree.N, url.QueryEscape(hash.String()))
		if err := getJSON(api+"get-proof-by-hash?"+query, &proof); err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof.AuditPath, tree.N, tree.Hash, index, hash); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if proof.LeafIndex != index {
			return fmt.Errorf("entry %d is said to be %d", index, proof.LeafIndex)
		}
	}
	earlier, err := seen.check(tree, func(old int64) (tlog.TreeProof, error) {
		var answer struct{ Consistency tlog.TreeProof }
		err := getJSON(fmt.Sprintf("%sget-sth-consistency?first=%d&second=%d", api, old, tree.N), &answer)
		return answer.Consistency, err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d certificates proved, %d earlier tree heads extended\n", tree.N, earlier)
	return nil
}

// signedTreeHead is RFC 6962 §3.5 and §4.3.
func signedTreeHead(api, keyFile string) (tree tlog.Tree, err error) {
	var head struct {
		TreeSize  int64     `json:"tree_size"`
		Timestamp uint64    `json:"timestamp"`
		Root      tlog.Hash `json:"sha256_root_hash"`
		Signature []byte    `json:"tree_head_signature"`
	}
	if err := getJSON(api+"get-sth", &head); err != nil {
		return tree, err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return tree, err
	}
	ecdsaKey, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return tree, fmt.Errorf("RFC 6962 has no signatures by a %T", key)
	}
	signed := make([]byte, 18, 50)
	signed[1] = 1 // version 1, tree_hash
	binary.BigEndian.PutUint64(signed[2:], head.Timestamp)
	binary.BigEndian.PutUint64(signed[10:], uint64(head.TreeSize))
	digest := sha256.Sum256(append(signed, head.Root[:]...))
	// SHA-256, ECDSA, length
	if s := head.Signature; len(s) < 4 || s[0] != 4 || s[1] != 3 || int(binary.BigEndian.Uint16(s[2:])) != len(s)-4 ||
		!ecdsa.VerifyASN1(ecdsaKey, digest[:], s[4:]) {
		return tree, fmt.Errorf("the signature of the tree head is wrong")
	}
	return tlog.Tree{N: head.TreeSize, Hash: head.Root}, nil
}

func getJSON(address string, answer interface{}) error {
	body, err := get(address)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}
