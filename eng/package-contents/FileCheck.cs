using System.Buffers.Binary;

namespace EventBus.Packages;

/// <summary>Checks the files of a package: those that must be there, those that may be there, and the icon.</summary>
internal static class FileCheck
{
    private const int IconPixels = 128;
    private const int MaxIconBytes = 100 * 1024;

    // What may be in a package: add a folder here if a package gets one on purpose.
    private static readonly string[] AllowedFolders = ["lib/net10.0/", "build/", "buildTransitive/", "schemas/"];
    private static readonly byte[] Png = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    // The JSON schema of the settings, from which editors complete appsettings.json.
    private const string Schema = "ConfigurationSchema.json";

    public static void Run(PackageFile package, string root, Findings findings)
    {
        var names = package.Files.ConvertAll(file => file.FullName);
        foreach (var name in new[] { "README.md", "icon.png", $"lib/net10.0/{package.Id}.dll", $"lib/net10.0/{package.Id}.xml" })
        {
            findings.Expect(package.Read(name) is { Length: > 0 }, $"the package lacks {name}, or it is empty");
        }

        foreach (var name in names.Where(name => name is not ("README.md" or "icon.png" or Schema)))
        {
            findings.Expect(
                AllowedFolders.Any(folder => name.StartsWith(folder, StringComparison.Ordinal)),
                $"{name} is not expected in a package. If it belongs there, allow its folder in eng/package-contents/FileCheck.cs");
            findings.Expect(
                Path.GetExtension(name) is not (".pdb" or ".cs" or ".csproj"),
                $"{name} does not belong in a package: symbols have a package of their own, and sources have the repository");
        }

        CheckIcon(package.Read("icon.png"), findings);
        CheckSchema(package, Path.Combine(root, "src", package.Id, Schema), findings);
    }

    private static void CheckSchema(PackageFile package, string source, Findings findings)
    {
        if (!File.Exists(source))
        {
            return;
        }

        findings.Expect(
            package.Read(Schema)?.SequenceEqual(File.ReadAllBytes(source)) == true,
            $"the package lacks {Schema}, or it differs from that of the project");
        var targets = package.Read($"buildTransitive/{package.Id}.targets");
        findings.Expect(
            targets is not null && targets.AsSpan().IndexOf("JsonSchemaSegment"u8) >= 0,
            $"the package does not name {Schema} in buildTransitive/{package.Id}.targets");
    }

    private static void CheckIcon(byte[]? icon, Findings findings)
    {
        if (icon is null)
        {
            return;
        }

        if (icon.Length < 24 || !icon.AsSpan().StartsWith(Png))
        {
            findings.Errors.Add("icon.png is no PNG");
            return;
        }

        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(20)));
        findings.Expect(
            (width, height) == (IconPixels, IconPixels),
            $"icon.png has {width} x {height} pixels instead of {IconPixels} x {IconPixels}");
        findings.Expect(icon.Length <= MaxIconBytes, $"icon.png has {icon.Length} bytes, more than {MaxIconBytes}");
    }
}
