using System.Text.Json;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Proof;

/// <summary>
/// Starts sagas without running them, in the process of the harness, which is never killed, and retries sagas that need
/// attention.
/// </summary>
internal sealed class SagaStarter : IAsyncDisposable
{
    // Enough that kills find some sagas at each point, and few enough that one kill does not affect all of them.
    private const int MaxRunning = 40;

    private readonly IHost host;
    private readonly StoreProbe probe;
    private readonly ISagas sagas;
    private readonly SagaManager manager;
    private readonly IEventBus bus;

    private int started;

    private SagaStarter(IHost host, StoreProbe probe) =>
        (this.host, this.probe, sagas, manager, bus) =
            (
                host,
                probe,
                host.Services.GetRequiredService<ISagas>(),
                host.Services.GetRequiredService<SagaManager>(),
                host.Services.GetRequiredService<IEventBus>());

    public static async Task<SagaStarter> StartAsync(VictimSettings settings, Action<EventBusBuilder> addSagas)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus =>
        {
            Buses.AddBackend(bus, settings);
            addSagas(bus);
            bus.Configure(options => options.Consume = false);
        });
        var host = builder.Build();
        await host.StartAsync();
        return new SagaStarter(host, await StoreProbe.OpenAsync(settings));
    }

    /// <summary>
    /// Starts sagas, up to the maximum number of running ones, directly or by an event; some of them twice.
    /// </summary>
    public async Task StartAllAsync(IEnumerable<SagaPlan> plans)
    {
        var waiting = new Queue<SagaPlan>(plans);
        await Until.TrueAsync("The start of all sagas", TimeSpan.FromHours(1), async () =>
        {
            var atRest = await manager.CountAsync() - await CountAliveAsync();
            while (started - atRest < MaxRunning && waiting.TryDequeue(out var plan))
            {
                started++;
                await Task.WhenAll(Enumerable.Range(0, plan.IsTwice ? 2 : 1).Select(copy => StartAsync(plan, copy)));
            }

            return waiting.Count == 0;
        });
    }

    /// <summary>Returns true if no saga continues without an operator, and all alerts were sent.</summary>
    public async Task<bool> IsAtRestAsync() =>
        await CountAliveAsync() == 0 && (await EntriesAsync()).TrueForAll(entry => entry is { DueAt: null, AlertAt: null });

    /// <summary>Returns true if all sagas have ended, and their events are sent.</summary>
    public async Task<bool> IsAtEndAsync() =>
        await IsAtRestAsync() && await manager.CountAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }) == 0;

    /// <summary>Returns all sagas in the store.</summary>
    public async Task<List<SagaEntry>> EntriesAsync()
    {
        var found = new List<SagaEntry>();
        for (var page = new SagaFilter { Take = 1_000 }; ;)
        {
            var entries = await probe.Sagas.ListAsync(page, CancellationToken.None);
            found.AddRange(entries);
            if (entries.Count < page.Take)
            {
                return found;
            }

            page = page with { Before = entries[^1].Number };
        }
    }

    /// <summary>Sends one more reply to each saga, when none waits for a reply.</summary>
    public Task AnswerLateAsync(IEnumerable<SagaEntry> entries) =>
        Task.WhenAll(entries.Select(
            entry => bus.PublishAsync(new Answer(Numbers.Of(entry.Id), 3), new PublishOptions { CorrelationId = entry.Id })));

    /// <summary>Retries each saga that needs attention.</summary>
    public async Task RetryAsync(IEnumerable<SagaEntry> entries)
    {
        foreach (var entry in entries.Where(entry => entry.Status == SagaStatus.NeedsAttention))
        {
            await manager.RetryAsync(entry.Id);
        }
    }

    /// <summary>Reads all events that sagas published from the stream itself.</summary>
    public static async Task<List<PublishedSagaEvent>> PublishedEventsAsync(PrivateRedis redis) =>
        [.. (await redis.Database.StreamRangeAsync(Buses.StreamOf("saga"))).Select(entry =>
        {
            var body = JsonDocument.Parse((byte[])entry["data"]!).RootElement;
            List<string> steps = body.TryGetProperty("step", out var step) ? [step.GetString()!]
                : body.TryGetProperty("compensated", out var undone) ? [.. undone.EnumerateArray().Select(name => name.GetString()!)]
                : [];
            var saga = Numbers.Of(body.GetProperty("sagaId").GetString()!);
            return new PublishedSagaEvent((string)entry["id"]!, (string)entry["type"]!, saga, steps);
        })];

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
        await probe.DisposeAsync();
    }

    private async Task StartAsync(SagaPlan plan, int copy)
    {
        var id = Numbers.ToId(plan.Number);
        await (plan switch
        {
            { IsExpress: true } => sagas.StartAsync(new ExpressParcel(plan.Number), id),
            { IsOrdered: true } when copy == 0 => bus.PublishAsync(new ParcelOrdered(plan.Number)),
            _ => sagas.StartAsync(new Parcel(plan.Number), id),
        });
    }

    private async Task<long> CountAliveAsync() =>
        await manager.CountAsync(new SagaFilter { Status = SagaStatus.Running })
            + await manager.CountAsync(new SagaFilter { Status = SagaStatus.Compensating });
}
