using System.Diagnostics;

namespace Checkout.Demo;

/// <summary>Stops and starts the broker, by the commands of the settings or by the user.</summary>
internal sealed class BrokerControl(Settings settings)
{
    public Task StopAsync(CancellationToken cancellationToken) => RunAsync(settings.StopBroker, "Stop", cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => RunAsync(settings.StartBroker, "Start", cancellationToken);

    private static async Task RunAsync(string? command, string verb, CancellationToken cancellationToken)
    {
        if (command is null)
        {
            Screen.Text($"> {verb} the broker, then press Enter.");

            // On another thread, because a read of the console cannot be cancelled.
            _ = await Task.Run(Console.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken)
                ?? throw new InvalidOperationException("there is no input. --stop-broker and --start-broker set the commands.");
            return;
        }

        var (shell, option) = OperatingSystem.IsWindows() ? ("cmd", "/c") : ("/bin/sh", "-c");
        using var process = Process.Start(shell, [option, command]);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"the command of '{verb} the broker' ended with exit code {process.ExitCode}.");
        }
    }
}
