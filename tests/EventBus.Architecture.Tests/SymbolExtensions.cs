using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.CodeAnalysis;

namespace EventBus.Architecture.Tests;

/// <summary>Extends symbols with the properties that the rules use.</summary>
internal static class SymbolExtensions
{
    extension(ISymbol symbol)
    {
        /// <summary>True if an application or a backend can use the symbol.</summary>
        public bool IsPublic
        {
            get
            {
                for (var part = symbol; part is not null and not INamespaceSymbol; part = part.ContainingSymbol)
                {
                    if (part.DeclaredAccessibility is not (Accessibility.Public
                        or Accessibility.Protected
                        or Accessibility.ProtectedOrInternal))
                    {
                        return false;
                    }
                }

                return true;
            }
        }

        /// <summary>The file and line of the declaration.</summary>
        public string Where => symbol.Locations[0].Where;

        /// <summary>The name with the containing types, without namespaces and parameters.</summary>
        public string ShortName => symbol.ContainingType is { } type ? $"{type.ShortName}.{symbol.Name}" : symbol.Name;

        /// <summary>The XML documentation; null if there is none.</summary>
        public XElement? Documentation =>
            symbol.GetDocumentationCommentXml() is { Length: > 0 } xml && xml.Contains('<', StringComparison.Ordinal)
                ? XElement.Parse(xml.StartsWith("<member", StringComparison.Ordinal) ? xml : $"<member>{xml}</member>")
                : null;
    }

    extension(Location location)
    {
        public string Where => $"{location.SourceTree!.FilePath}({location.GetLineSpan().StartLinePosition.Line + 1})";
    }

    extension(SyntaxNode node)
    {
        public string Where => node.GetLocation().Where;
    }

    extension(ITypeSymbol? type)
    {
        /// <summary>True if the type can be awaited.</summary>
        public bool IsTask =>
            type is { Name: "Task" or "ValueTask" } && type.ContainingNamespace.ToDisplayString() == "System.Threading.Tasks";

        public bool IsAsyncResult => type.IsTask || type is { Name: "IAsyncEnumerable" };
    }

    extension(XElement? documentation)
    {
        /// <summary>Returns the text of one tag, with the names that it refers to.</summary>
        public string TextOf(string tag) => documentation?.Descendants(tag).FirstOrDefault() is { } element ? Text(element) : "";
    }

    private static string Text(XElement element) =>
        Regex.Replace(string.Concat(element.DescendantNodes()
            .Select(node => node is XText text ? text.Value : ((XElement)node).Attribute("cref")?.Value[2..] ?? "")), @"\s+", " ").Trim();
}
