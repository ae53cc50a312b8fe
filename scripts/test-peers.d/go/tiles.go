package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// height is that of C2SP's tiles: 256 hashes each.
const height = 8

func checkTiles(log, keyFile, acknowledgedFile string, seen heads) error {
	source := source{log, map[tlog.Tile][]byte{}}
	checkpoint, err := source.read("checkpoint")
	if err != nil {
		return err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(checkpoint, key)
	if err != nil {
		return err
	}
	stored, err := readEntries(source, tree.N)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(tree.N, stored)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the %d entries have the root hash %v, the checkpoint says %v", tree.N, root, tree.Hash)
	}
	tiles, err := compareTiles(source, tree.N, stored)
	if err != nil {
		return err
	}
	// From here on as a stranger would, who has tiles and no entries.
	reader := tlog.TileHashReader(tree, source)
	proved, err := proveAcknowledged(acknowledgedFile, tree, reader, stored)
	if err != nil {
		return err
	}
	earlier, err := seen.check(tree, func(old int64) (tlog.TreeProof, error) { return tlog.ProveTree(tree.N, old, reader) })
	if err != nil {
		return err
	}
	fmt.Printf("%d entries, %d tiles, %d acknowledged entries proved, %d earlier checkpoints extended\n",
		tree.N, tiles, proved, earlier)
	return nil
}

// hashes are all of a log's, in tlog's order.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(h)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found[i] = h[index]
	}
	return found, nil
}

// readEntries computes every hash of a log from its entries.
func readEntries(source source, size int64) (hashes, error) {
	var stored hashes
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		path := "tile/entries/" + tilePath(first>>height, width)
		rest, err := source.read(path)
		if err != nil {
			return nil, err
		}
		for index := first; index < first+width; index++ {
			if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
				return nil, fmt.Errorf("%s ends within entry %d", path, index)
			}
			length := int(binary.BigEndian.Uint16(rest))
			added, err := tlog.StoredHashes(index, rest[2:2+length], stored)
			if err != nil {
				return nil, err
			}
			stored = append(stored, added...)
			rest = rest[2+length:]
		}
		if len(rest) != 0 {
			return nil, fmt.Errorf("%s goes on after its last entry", path)
		}
	}
	return stored, nil
}

// compareTiles holds every published tile of the tree against the hashes of the entries.
func compareTiles(source source, size int64, stored hashes) (int, error) {
	tiles := tlog.NewTiles(height, 0, size)
	for _, tile := range tiles {
		wanted, err := tlog.ReadTileData(tile, stored)
		if err != nil {
			return 0, err
		}
		published, err := source.read(path(tile))
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(published, wanted) {
			return 0, fmt.Errorf("%s is not what the entries give", path(tile))
		}
	}
	return len(tiles), nil
}

func proveAcknowledged(file string, tree tlog.Tree, reader tlog.HashReader, stored hashes) (int, error) {
	if file == "" {
		return 0, nil
	}
	lines, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer lines.Close()
	proved := 0
	for scanner := bufio.NewScanner(lines); ; proved++ {
		if !scanner.Scan() {
			return proved, scanner.Err()
		}
		fields := strings.Fields(scanner.Text())
		if len(fields) == 0 || len(fields) > 2 {
			return 0, fmt.Errorf("not an acknowledged entry: %q", scanner.Text())
		}
		index, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, err
		}
		if index < 0 || index >= tree.N {
			return 0, fmt.Errorf("entry %d was acknowledged, and the log has only %d", index, tree.N)
		}
		leaf := stored[tlog.StoredHashIndex(0, index)]
		if len(fields) == 2 {
			if leaf, err = leafHash(fields[1]); err != nil {
				return 0, err
			}
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
			return 0, fmt.Errorf("entry %d is not what was acknowledged: %w", index, err)
		}
	}
}

func leafHash(text string) (hash tlog.Hash, err error) {
	if len(text) < 2*tlog.HashSize {
		return hash, fmt.Errorf("not a leaf hash: %q", text)
	}
	_, err = hex.Decode(hash[:], []byte(text[len(text)-2*tlog.HashSize:]))
	return hash, err
}

// source is where a log's files are: an address or a folder. Tiles that were proved are kept.
type source struct {
	base   string
	proved map[tlog.Tile][]byte
}

func (s source) read(path string) ([]byte, error) {
	if !strings.Contains(s.base, "://") {
		return os.ReadFile(filepath.Join(s.base, filepath.FromSlash(path)))
	}
	return get(strings.TrimSuffix(s.base, "/") + "/" + path)
}

func get(address string) ([]byte, error) {
	response, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, response.Status)
	}
	return io.ReadAll(response.Body)
}

func (s source) Height() int { return height }

func (s source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if proved, ok := s.proved[tile]; ok {
			data[i] = proved
			continue
		}
		var err error
		if data[i], err = s.read(path(tile)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (s source) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		s.proved[tile] = data[i]
	}
}

// path is that of C2SP, which leaves out the height, as it is always the same.
func path(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tile.H))
}

// tilePath is the end of a tile's path: its number and its width.
func tilePath(index, width int64) string {
	tile := tlog.Tile{H: height, L: 0, N: index, W: int(width)}
	return strings.TrimPrefix(path(tile), "tile/0/")
}
