package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what TestAPI finds into its file")

const apiFile = "docs/testdata/api.txt"

// TestAPI shows that no exported name was added, changed or removed by accident. If
// one was on purpose, go test ./docs -run API -update writes them all down again.
func TestAPI(t *testing.T) {
	var api strings.Builder
	for _, folder := range packages(t) {
		for _, line := range exported(t, folder) {
			api.WriteString(line + "\n")
		}
	}
	if *update {
		file := filepath.Join(root, apiFile)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(api.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	is, was := strings.Split(api.String(), "\n"), strings.Split(read(t, apiFile), "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			t.Errorf("is gone: %s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			t.Errorf("is new: %s", line)
		}
	}
}

// packages returns the folders of the packages that users import, of all modules.
func packages(t *testing.T) (folders []string) {
	t.Helper()
	for _, file := range goFiles(t) {
		folder := path.Dir(file)
		first, _, _ := strings.Cut(folder, "/")
		if strings.HasSuffix(file, "_test.go") || slices.Contains(folders, folder) ||
			slices.Contains([]string{"e2e", "examples", "proof", "test"}, first) ||
			slices.Contains(strings.Split(folder, "/"), "internal") {
			continue
		}
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	if len(folders) < 10 {
		t.Errorf("only the packages %q found", folders)
	}
	return folders
}

// exported returns what a package exports, one name a line, sorted.
func exported(t *testing.T, folder string) (lines []string) {
	t.Helper()
	files := token.NewFileSet()
	var parsed []*ast.File
	sources, err := fs.Glob(os.DirFS(filepath.Join(root, folder)), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, filepath.Join(root, folder, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	p, err := doc.NewFromFiles(files, parsed, "github.com/revoke-sessions/revoke/"+folder)
	if err != nil {
		t.Fatal(err)
	}
	add := func(format string, args ...any) {
		lines = append(lines, p.Name+": "+fmt.Sprintf(format, args...))
	}
	values := func(values []*doc.Value) {
		for _, value := range values {
			for _, name := range value.Names {
				if ast.IsExported(name) {
					add("%s %s", value.Decl.Tok, name)
				}
			}
		}
	}
	functions := func(functions []*doc.Func) {
		for _, f := range functions {
			add("func %s%s", f.Name, signature(f.Decl.Type))
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, typ := range p.Types {
		values(typ.Consts)
		values(typ.Vars)
		functions(typ.Funcs)
		for _, method := range typ.Methods {
			add("method (%s) %s%s", method.Recv, method.Name, signature(method.Decl.Type))
		}
		for _, part := range parts(typ) {
			add("%s", part)
		}
	}
	slices.Sort(lines)
	return lines
}

// parts returns the line of a type, and those of its exported fields and methods.
func parts(typ *doc.Type) (lines []string) {
	spec := typ.Decl.Specs[0].(*ast.TypeSpec)
	switch t := spec.Type.(type) {
	case *ast.StructType:
		lines = append(lines, "type "+typ.Name+" struct")
		for _, field := range t.Fields.List {
			kind := types.ExprString(field.Type)
			for _, name := range field.Names {
				lines = append(lines, fmt.Sprintf("field %s.%s %s", typ.Name, name.Name, kind))
			}
			if field.Names == nil {
				lines = append(lines, fmt.Sprintf("field %s has all of %s", typ.Name, kind))
			}
		}
	case *ast.InterfaceType:
		lines = append(lines, "type "+typ.Name+" interface")
		for _, method := range t.Methods.List {
			if f, ok := method.Type.(*ast.FuncType); ok {
				lines = append(lines, fmt.Sprintf("method %s.%s%s", typ.Name, method.Names[0], signature(f)))
			} else {
				lines = append(lines, fmt.Sprintf("method %s has all of %s", typ.Name, types.ExprString(method.Type)))
			}
		}
	default:
		lines = append(lines, "type "+typ.Name+" "+types.ExprString(spec.Type))
	}
	return lines
}

// signature returns the types of a function's parameters and results.
func signature(f *ast.FuncType) string {
	list := func(fields *ast.FieldList) string {
		var all []string
		if fields != nil {
			for _, field := range fields.List {
				for range max(1, len(field.Names)) {
					all = append(all, types.ExprString(field.Type))
				}
			}
		}
		return "(" + strings.Join(all, ", ") + ")"
	}
	if f.Results == nil {
		return list(f.Params)
	}
	return list(f.Params) + " " + list(f.Results)
}
