using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

/// <summary>
/// The process that is killed: an application with the subscriptions of one proof, which writes down what it does.
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

        // The parent holds the other end. If it dies without a word, so does this.
        if (await Console.In.ReadLineAsync() is null)
        {
            Native.KillSelf();
        }

        await host.StopAsync();
        return 0;
    }
}

/// <summary>Records the alerts.</summary>
internal sealed class JournalAlert(Journal journal) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        foreach (var id in alert.Ids)
        {
            journal.Write(Kind.Alert, Numbers.Of(id));
        }

        return Task.CompletedTask;
    }
}

/// <summary>The ids of the proofs' events: they end with the event's number.</summary>
internal static class Numbers
{
    public static string ToId(long number) => $"e-{number}";

    public static long Of(string id) => long.Parse(id.AsSpan(id.LastIndexOf('-') + 1));
}
