using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>A process of this program that handles events until it is stopped or killed.</summary>
internal sealed class VictimProcess : IDisposable
{
    /// <summary>
    /// The exit code of a process whose bus could not start, because its store was busy for too long.
    /// </summary>
    public const int CouldNotStart = 3;

    private const int Killed = 128 + 9;
    private const int Aborted = 128 + 6;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly Process process;
    private volatile bool disposed;

    private VictimProcess(Process process) => this.process = process;

    public int Id => process.Id;

    public bool HasExited => disposed || process.HasExited;

    /// <summary>True if the process ended as planned, and not because of an error.</summary>
    public bool EndedAsPlanned => process.ExitCode is Killed or Aborted;

    public int ExitCode => process.ExitCode;

    public static VictimProcess Start(VictimSettings settings)
    {
        var program = Environment.ProcessPath!;
        string[] assembly = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(VictimProcess).Assembly.Location] : [];
        var start = new ProcessStartInfo(program, [.. assembly, VictimSettings.Command, settings.Write()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // Its handlers and the process are short-lived: profiling at the start does not pay off.
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        var process = Process.Start(start)!;
        var log = Path.Combine(settings.Folder, $"{process.Id}.out");
        process.OutputDataReceived += (_, line) => Keep(log, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(log, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new VictimProcess(process);
    }

    /// <summary>Kills the process with SIGKILL.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync().WaitAsync(Patience);
    }

    public void Freeze() => Native.Freeze(Id);

    public void Thaw() => Native.Thaw(Id);

    /// <summary>Asks the process to stop, and waits until it has stopped.</summary>
    public async Task StopAsync()
    {
        await process.StandardInput.WriteLineAsync("stop");
        await process.StandardInput.FlushAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw new ProofException($"The process {Id} did not stop within {Patience.TotalSeconds:0} s.");
        }

        if (process.ExitCode != 0)
        {
            throw new ProofException($"The process {Id} stopped with the exit code {process.ExitCode}.");
        }
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }

        disposed = true;
        process.Dispose();
    }

    private static void Keep(string log, string? line)
    {
        if (line is not null)
        {
            File.AppendAllText(log, line + Environment.NewLine);
        }
    }
}
