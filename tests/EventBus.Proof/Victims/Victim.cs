using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>
/// The process that is killed: an application with the subscriptions of one proof, which records its actions.
/// </summary>
internal static class Victim
{
    public static async Task<int> RunAsync(VictimSettings settings)
    {
        var journal = new Journal(settings.Folder);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(settings.LogLevel);
        builder.Services.AddSingleton<ILoggerProvider>(
            new FileLog(Path.Combine(settings.Folder, $"{Environment.ProcessId}.log"), settings.LogLevel));
        builder.Services.AddSingleton(journal);
        builder.Services.AddEventBus(bus =>
        {
            Buses.AddBackend(bus, settings);
            Catalogue.Find(settings.Proof).Configure(bus, settings, journal);
        });
        using var host = builder.Build();
        try
        {
            await host.StartAsync();
        }
        catch (EventBusException exception)
        {
            await Console.Error.WriteLineAsync(exception.ToString());
            return VictimProcess.CouldNotStart;
        }

        journal.Write(Kind.Ready, Environment.ProcessId);

        // The parent holds the other end of the pipe. If it ends, so does this process.
        if (await Console.In.ReadLineAsync() is null)
        {
            Native.KillSelf();
        }

        await host.StopAsync();
        return 0;
    }
}
