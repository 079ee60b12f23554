//go:build unix

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant is one change to a file.
type mutant struct {
	file       string
	source     []byte
	line       int
	start, end int    // the bytes that are replaced
	text       string // by this
}

func (m mutant) changed() []byte {
	return slices.Concat(m.source[:m.start], []byte(m.text), m.source[m.end:])
}

func (m mutant) String() string {
	name := m.file
	if dir, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(dir, name); err == nil {
			name = relative
		}
	}
	was := strings.Join(strings.Fields(string(m.source[m.start:m.end])), " ")
	if m.text == "" {
		return fmt.Sprintf("%s:%d: without %s", name, m.line, was)
	}
	return fmt.Sprintf("%s:%d: %s in place of %s", name, m.line, strings.Join(strings.Fields(m.text), " "), was)
}

// opposite holds what takes the place of an operator.
var opposite = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// mutate returns the changes to a file, in the order of its lines or nearly.
func mutate(name string, source []byte) ([]mutant, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var mutants []mutant
	replace := func(from, to token.Pos, text string) {
		start := files.Position(from)
		mutants = append(mutants, mutant{name, source, start.Line, start.Offset, files.Position(to).Offset, text})
	}
	code := func(n ast.Node) string {
		return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			replace(n.Cond.Pos(), n.Cond.End(), "false && ("+code(n.Cond)+")")
			replace(n.Cond.Pos(), n.Cond.End(), "true || ("+code(n.Cond)+")")
		case *ast.BinaryExpr:
			if op, ok := opposite[n.Op]; ok {
				replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), op.String())
			}
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				replace(n.OpPos, n.X.Pos(), "")
			}
		case *ast.Ident:
			switch n.Name {
			case "true":
				replace(n.Pos(), n.End(), "false")
			case "false":
				replace(n.Pos(), n.End(), "true")
			}
		case *ast.BlockStmt:
			drop(n.List, replace)
		case *ast.CaseClause:
			drop(n.Body, replace)
		case *ast.CommClause:
			drop(n.Body, replace)
		case *ast.FuncDecl:
			succeed(n.Type, n.Body, replace)
		case *ast.FuncLit:
			succeed(n.Type, n.Body, replace)
		}
		return true
	})
	return mutants, nil
}

// drop leaves out one statement at a time, of those that do something.
func drop(list []ast.Stmt, replace func(from, to token.Pos, text string)) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.BranchStmt:
			replace(s.Pos(), s.End(), "")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				replace(s.Pos(), s.End(), "")
			}
		case *ast.ReturnStmt:
			if len(s.Results) == 0 {
				replace(s.Pos(), s.End(), "")
			}
		}
	}
}

// succeed has a function return no error, one return at a time.
func succeed(f *ast.FuncType, body *ast.BlockStmt, replace func(from, to token.Pos, text string)) {
	if body == nil || f.Results.NumFields() == 0 {
		return
	}
	last := f.Results.List[len(f.Results.List)-1]
	if typ, ok := last.Type.(*ast.Ident); !ok || typ.Name != "error" {
		return
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // its returns are its own
		case *ast.ReturnStmt:
			if len(n.Results) != f.Results.NumFields() {
				break
			}
			err := n.Results[len(n.Results)-1]
			if name, ok := err.(*ast.Ident); !ok || name.Name != "nil" {
				replace(err.Pos(), err.End(), "nil")
			}
		}
		return true
	})
}
