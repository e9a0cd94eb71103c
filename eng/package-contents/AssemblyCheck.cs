using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;

namespace EventBus.Packages;

/// <summary>Checks that an assembly has its symbols, and that neither contains a path of the machine.</summary>
internal static class AssemblyCheck
{
    private const string Root = "/_/";

    public static void Run(PackageFile package, string address, string[] folders, Findings findings)
    {
        var dll = package.Read($"lib/net10.0/{package.Id}.dll");
        var pdb = package.ReadSymbols($"lib/net10.0/{package.Id}.pdb");
        findings.Expect(pdb is not null, "there is no symbol package with a PDB");
        if (dll is null || pdb is null)
        {
            return;
        }

        using var image = new PEReader(new MemoryStream(dll));
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(pdb));
        var symbols = provider.GetMetadataReader();
        var entry = image.ReadDebugDirectory().Single(entry => entry.Type == DebugDirectoryEntryType.CodeView);
        var link = image.ReadCodeViewDebugDirectoryData(entry);
        findings.Expect(
            link.Guid == new BlobContentId(symbols.DebugMetadataHeader!.Id).Guid,
            "the PDB is not that of the assembly");
        findings.Expect(link.Path.StartsWith(Root, StringComparison.Ordinal), $"the assembly refers to the PDB by the path {link.Path}");
        foreach (var folder in folders)
        {
            findings.Expect(!Contains(dll, folder), $"the assembly contains a path in {folder}");
        }

        SymbolCheck.Run(symbols, address, folders, findings);
    }

    private static bool Contains(byte[] bytes, string text) =>
        bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
}
