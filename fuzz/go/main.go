// Command engine reads bodies as the Docker Engine does, by encoding/json, and says what it read.
//
// On stdin comes a length (32 bits, little-endian) and so many bytes, of which the first is the kind of the body. The
// answer is a line: "!" where the engine refuses the body, else what it read as JSON: a create as engines up to 26.1 have
// it and, where it differs, behind a tab as later ones do. The length 0xffffffff, with nothing behind it, ends a batch: the
// answer is ".". "engine schema" prints the shapes of all kinds instead.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"math"
	"os"
	"reflect"
)

// body is what is left once an engine has decided which HostConfig counts.
type body struct {
	*Config
	HostConfig       *HostConfig       `json:",omitempty"`
	NetworkingConfig *networkingConfig `json:",omitempty"`
}

const endOfBatch = math.MaxUint32

func main() {
	log.SetFlags(0)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	if len(os.Args) == 2 && os.Args[1] == "schema" {
		var shapes []any
		for _, kind := range kinds {
			shapes = append(shapes, shape(reflect.TypeOf(kind())))
		}
		check(json.NewEncoder(out).Encode(shapes))
		check(out.Flush())
		return
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		var length uint32
		err := binary.Read(in, binary.LittleEndian, &length)
		if err == io.EOF {
			check(out.Flush())
			return
		}
		check(err)
		if length == endOfBatch {
			_, err = out.WriteString(".\n")
			check(err)
			check(out.Flush())
			continue
		}
		input := make([]byte, length)
		_, err = io.ReadFull(in, input)
		check(err)
		answer(out, input)
	}
}

func answer(out *bufio.Writer, input []byte) {
	read := kinds[input[0]]()
	// One value only: what follows it is not looked at, as in 20.10.
	err := json.NewDecoder(bytes.NewReader(input[1:])).Decode(read)
	if err != nil {
		_, err = out.WriteString("!")
	} else if create, ok := read.(*create); ok {
		_, err = out.Write(create.answer())
	} else {
		var line []byte
		line, err = json.Marshal(read)
		check(err)
		_, err = out.Write(line)
	}
	check(err)
	check(out.WriteByte('\n'))
}

func (c *create) answer() []byte {
	read := body{Config: c.Config, NetworkingConfig: c.NetworkingConfig, HostConfig: c.Inner}
	later, err := json.Marshal(read)
	check(err)
	read.HostConfig = c.effective()
	flat, err := json.Marshal(read)
	check(err)
	if bytes.Equal(flat, later) {
		return flat
	}
	return append(append(flat, '\t'), later...)
}

// effective merges both HostConfigs into the inner one as engines up to 26.1 do.
func (c *create) effective() *HostConfig {
	outer, inner := c.HostConfig, c.Inner
	if inner == nil || outer == nil {
		if inner == nil {
			inner = outer
		}
	} else {
		merge(&inner.Memory, outer.Memory)
		merge(&inner.MemorySwap, outer.MemorySwap)
		merge(&inner.CPUShares, outer.CPUShares)
		merge(&inner.CpusetCpus, outer.CpusetCpus)
		merge(&inner.VolumeDriver, outer.VolumeDriver)
	}
	if inner != nil {
		merge(&inner.CpusetCpus, c.Cpuset)
	}
	return inner
}

func merge[T comparable](inner *T, outer T) {
	var unset T
	if *inner == unset {
		*inner = outer
	}
}

// shape is a type as far as JSON can tell: its kind, and what is in it.
func shape(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeOf(words{}):
		return map[string]any{"kind": "words"}
	case t.Kind() == reflect.Pointer:
		return shape(t.Elem())
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return map[string]any{"kind": t.Kind().String(), "of": shape(t.Elem())}
	case t.Kind() == reflect.Array:
		return map[string]any{"kind": "slice", "of": shape(t.Elem())}
	case t.Kind() == reflect.Struct:
		fields := map[string]any{}
		for _, field := range reflect.VisibleFields(t) {
			name, _, _ := bytes.Cut([]byte(field.Tag.Get("json")), []byte(","))
			if len(name) == 0 {
				name = []byte(field.Name)
			}
			if !field.Anonymous {
				fields[string(name)] = shape(field.Type)
			}
		}
		return map[string]any{"kind": "struct", "fields": fields}
	default:
		return map[string]any{"kind": t.Kind().String()}
	}
}

func check(err error) {
	if err != nil {
		log.Fatalln("engine:", err)
	}
}
