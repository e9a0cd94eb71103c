using System.Diagnostics;

namespace Checkout.Demo;

/// <summary>Runs the shop in another process of this program, and reads what that reports.</summary>
internal sealed class ChildShop : IDisposable
{
    private const string UrlReport = "url ";
    private const string HeldReport = "held ";
    private const string ErrorReport = "error ";

    private readonly Process process;

    public ChildShop(Settings settings)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };

        // Started as 'dotnet Checkout.dll', the program is dotnet.
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

    /// <summary>In the child process: reports its address to the parent.</summary>
    public static void ReportUrl(string url) => Console.WriteLine(UrlReport + url);

    /// <summary>In the child process: reports an order that is held.</summary>
    public static void ReportHeld(string orderId) => Console.WriteLine(HeldReport + orderId);

    /// <summary>In the child process: reports why it ends.</summary>
    public static void ReportError(string why) => Console.WriteLine(ErrorReport + why);

    /// <summary>Waits until the shop listens, and returns its address.</summary>
    public Task<string> StartedAsync(CancellationToken cancellationToken) => ReadAsync(UrlReport, cancellationToken);

    /// <summary>Waits until further orders are held.</summary>
    public async Task HeldAsync(int count, CancellationToken cancellationToken)
    {
        for (var order = 0; order < count; order++)
        {
            await ReadAsync(HeldReport, cancellationToken);
        }
    }

    /// <summary>Ends the process at once with SIGKILL.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        process.Kill();
        await process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>Stops the shop, which handles the events that wait.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync(CancellationToken cancellationToken)
    {
        process.StandardInput.Close();
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

    private async Task<string> ReadAsync(string report, CancellationToken cancellationToken)
    {
        while (await process.StandardOutput.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith(report, StringComparison.Ordinal))
            {
                return line[report.Length..];
            }

            if (line.StartsWith(ErrorReport, StringComparison.Ordinal))
            {
                throw new InvalidOperationException($"the shop ended: {line[ErrorReport.Length..]}");
            }
        }

        throw new InvalidOperationException("the process of the shop ended.");
    }
}
