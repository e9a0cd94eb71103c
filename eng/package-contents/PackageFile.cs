using System.IO.Compression;
using System.Xml.Linq;

namespace EventBus.Packages;

/// <summary>A package and its symbol package.</summary>
internal sealed class PackageFile : IDisposable
{
    private readonly ZipArchive archive;
    private readonly ZipArchive? symbols;

    public PackageFile(string path)
    {
        archive = ZipFile.OpenRead(path);
        var symbolPath = Path.ChangeExtension(path, ".snupkg");
        symbols = File.Exists(symbolPath) ? ZipFile.OpenRead(symbolPath) : null;
        var nuspec = archive.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal));
        using var stream = nuspec.Open();
        Nuspec = XDocument.Load(stream).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
        Id = Text("id");
    }

    public string Id { get; }

    /// <summary>The metadata of the nuspec.</summary>
    public XElement Nuspec { get; }

    /// <summary>The files that the package gives to its users, without those of the format.</summary>
    public List<ZipArchiveEntry> Files => [.. archive.Entries.Where(entry =>
        !entry.FullName.StartsWith("_rels/", StringComparison.Ordinal)
        && !entry.FullName.StartsWith("package/", StringComparison.Ordinal)
        && entry.FullName != "[Content_Types].xml"
        && entry.FullName != $"{Id}.nuspec")];

    /// <summary>Returns an element of the metadata; null if there is none.</summary>
    public XElement? Element(string name) => Nuspec.Elements().FirstOrDefault(element => element.Name.LocalName == name);

    /// <summary>Returns the text of an element of the metadata; empty if there is none.</summary>
    public string Text(string name) => Element(name)?.Value ?? "";

    /// <summary>Returns the content of a file; null if there is none.</summary>
    public byte[]? Read(string file) => Read(archive, file);

    /// <summary>Returns the content of a file of the symbol package; null if there is none.</summary>
    public byte[]? ReadSymbols(string file) => symbols is null ? null : Read(symbols, file);

    public void Dispose()
    {
        archive.Dispose();
        symbols?.Dispose();
    }

    private static byte[]? Read(ZipArchive archive, string file)
    {
        if (archive.GetEntry(file) is not { } entry)
        {
            return null;
        }

        using var stream = entry.Open();
        var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }
}
