using System.Diagnostics;

namespace TripBooking.Demo;

/// <summary>Another process of this program, and what it tells.</summary>
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

    /// <summary>In the child: tells the parent.</summary>
    public static void Tell(Moment moment) => Console.WriteLine(string.Join(Separator, moment.Who, moment.What, moment.Key));

    /// <summary>What happens in it, until it ends.</summary>
    public async IAsyncEnumerable<Moment> ListenAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Split(Separator) is [var who, var what, var key])
            {
                yield return new Moment(default, who, what, key.Length == 0 ? null : key);
            }
        }
    }

    /// <summary>Ends it at once, with no chance to do anything more: SIGKILL.</summary>
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
