using System.Diagnostics;
using System.Globalization;
using EventBus.Hello;

namespace EventBus.Load;

/// <summary>A program that handles one event and reports it (see <see cref="HelloSign"/>).</summary>
/// <param name="Name">The name.</param>
/// <param name="IsNative">True for native AOT, false for framework-dependent.</param>
/// <param name="SizeMiB">The size in MiB, without debug symbols and documentation; 0 for this program.</param>
/// <param name="Command">The command that starts it.</param>
internal sealed record HelloProgram(string Name, bool IsNative, double SizeMiB, string[] Command)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Returns this program, with the contender to start as its argument.</summary>
    public static HelloProgram OfContender(string name) => new(
        name == ContenderKind.Bus ? Hello.BusHere : name,
        IsNative: false,
        0,
        ["dotnet", typeof(HelloProgram).Assembly.Location, Hello.Command, name]);

    /// <summary>Builds a program in a separate folder, so that the folders of the sources do not change.</summary>
    public static async Task<HelloProgram> PublishAsync(string name, string project, bool isNative, string folder)
    {
        var output = Path.Combine(folder, $"{name}-{(isNative ? "native" : "managed")}");
        var log = Path.Combine(folder, "publish.log");
        string[] arguments =
        [
            "publish", Path.Combine(Repository.Root, "benchmarks", project), "-c", "Release", "-nologo", "-v", "quiet", "-o", output,
            "--artifacts-path",
            Path.Combine(folder, isNative ? "native" : "managed"),
            $"-p:PublishAot={isNative}",
            $"-flp:logfile={log};verbosity=minimal",
        ];
        using var publishing = Process.Start(new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true })!;
        var printed = await publishing.StandardOutput.ReadToEndAsync();
        await publishing.WaitForExitAsync();
        if (publishing.ExitCode != 0 || printed.Contains("warning IL", StringComparison.Ordinal))
        {
            throw new InvalidOperationException(
                $"{project} does not publish{(isNative ? " as a native program, which takes clang or gcc, and zlib" : "")}: {printed}");
        }

        var program = Path.Combine(output, isNative ? project : $"{project}.dll");
        var files = Directory.GetFiles(output).Where(file => isNative ? file == program : Path.GetExtension(file) == ".dll");
        return new HelloProgram(
            name,
            isNative,
            files.Sum(file => new FileInfo(file).Length) / 1024.0 / 1024,
            isNative ? [program] : ["dotnet", program]);
    }

    public async Task<StartSample> StartAsync()
    {
        var startedAt = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(Command[0], Command[1..]) { RedirectStandardOutput = true })!;
        var (elapsed, peak) = (TimeSpan.Zero, 0.0);
        while (await process.StandardOutput.ReadLineAsync().WaitAsync(Patience) is { } line)
        {
            if (line == HelloSign.Word)
            {
                elapsed = Stopwatch.GetElapsedTime(startedAt);
            }
            else if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
            {
                peak = double.Parse(line["VmHWM:".Length..^"kB".Length], CultureInfo.InvariantCulture) / 1024;
            }
        }

        await process.WaitForExitAsync();
        return process.ExitCode == 0 && peak > 0
            ? new StartSample(elapsed.TotalMilliseconds, peak)
            : throw new InvalidOperationException($"'{string.Join(' ', Command)}' ended with {process.ExitCode}.");
    }
}
