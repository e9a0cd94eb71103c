using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace TripBooking.Demo;

/// <summary>Runs another process of this program, and reads its output.</summary>
internal sealed class ChildProcess : IDisposable
{
    private const char Separator = '\t';

    private readonly Process process;

    public ChildProcess(Settings settings)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true };

        // Started as 'dotnet TripBooking.dll', the program is dotnet.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
        {
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        }

        foreach (var argument in settings.ToArguments())
        {
            start.ArgumentList.Add(argument);
        }

        process = Process.Start(start)!;
    }

    public int Id => process.Id;

    /// <summary>In the child process: reports a moment to the parent.</summary>
    public static void Report(Moment moment) => Console.WriteLine(string.Join(Separator, moment.Who, moment.What, moment.Key));

    /// <summary>Returns the moments that the process reports, until it ends.</summary>
    public async IAsyncEnumerable<Moment> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Split(Separator) is [var who, var what, var key])
            {
                yield return new Moment(default, who, what, key.Length == 0 ? null : key);
            }
        }
    }

    /// <summary>Ends the process at once with SIGKILL.</summary>
    public void Kill() => process.Kill();

    public async Task<int> EndAsync(CancellationToken cancellationToken)
    {
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
        }

        process.Dispose();
    }
}
