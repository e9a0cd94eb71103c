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
            _ = await Console.In.ReadLineAsync(cancellationToken)
                ?? throw new InvalidOperationException("there is no input. --stop-broker and --start-broker set the commands.");
            return;
        }

        var (shell, option) = OperatingSystem.IsWindows() ? ("cmd", "/c") : ("/bin/sh", "-c");
        using var process = Process.Start(shell, [option, command]);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"'{command}' ended with exit code {process.ExitCode}.");
        }
    }
}
