using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;

namespace EventBus.Packages;

/// <summary>Checks a PDB: the paths of its documents, the sources that are in it, and where the others are.</summary>
internal static class SymbolCheck
{
    private const string Root = "/_/";

    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");
    private static readonly Guid SourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");

    public static void Run(MetadataReader symbols, string address, string[] folders, Findings findings)
    {
        var paths = symbols.Documents.Select(document => symbols.GetString(symbols.GetDocument(document).Name)).ToArray();
        foreach (var path in paths.Where(path => !path.StartsWith(Root, StringComparison.Ordinal)))
        {
            findings.Errors.Add($"the PDB contains the path {path}, which is not below {Root}");
        }

        var embedded = 0;
        var link = "";
        foreach (var information in symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation))
        {
            var kind = symbols.GetGuid(information.Kind);
            if (kind == SourceLink)
            {
                link = Encoding.UTF8.GetString(symbols.GetBlobBytes(information.Value));
            }
            else if (kind == EmbeddedSource)
            {
                embedded++;
                var name = symbols.GetString(symbols.GetDocument((DocumentHandle)information.Parent).Name);
                CheckText(name, Source(symbols.GetBlobBytes(information.Value)), folders, findings);
            }
        }

        CheckText("SourceLink", link, folders, findings);
        findings.Expect(address.Length > 0 || link.Length == 0, $"the PDB refers to sources although there is no address: {link}");
        findings.Expect(
            address.Length == 0 || link.Contains($"\"{Root}*\":\"https://", StringComparison.Ordinal),
            $"the PDB does not say where the sources are: '{link}'");
        findings.Notes.Add($"symbols: {paths.Length} documents, {embedded} in the PDB, SourceLink {(link.Length == 0 ? "none" : link)}");
    }

    /// <summary>Returns the text of an embedded source. Its first four bytes are not 0 if it is compressed.</summary>
    private static string Source(byte[] blob)
    {
        if (BitConverter.ToInt32(blob) == 0)
        {
            return Encoding.UTF8.GetString(blob.AsSpan(4));
        }

        using var text = new StreamReader(new DeflateStream(new MemoryStream(blob, 4, blob.Length - 4), CompressionMode.Decompress));
        return text.ReadToEnd();
    }

    private static void CheckText(string name, string text, string[] folders, Findings findings)
    {
        foreach (var folder in folders.Where(folder => text.Contains(folder, StringComparison.Ordinal)))
        {
            var line = text.Split('\n').First(line => line.Contains(folder, StringComparison.Ordinal)).Trim();
            findings.Errors.Add($"{name}, which is in the PDB, contains a path of this machine: {line[..Math.Min(line.Length, 200)]}");
        }
    }
}
