using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Proof;

/// <summary>Opens the stores of the victims in the harness, to inspect their content.</summary>
internal sealed class StoreProbe : IAsyncDisposable
{
    private readonly BusStores stores;
    private readonly ServiceProvider services;

    private StoreProbe(BusStores stores, ServiceProvider services) => (this.stores, this.services) = (stores, services);

    /// <summary>The failure store, unless it is only a queue of a broker.</summary>
    public KeyedFailureStore Failures => (KeyedFailureStore)stores.Failures!;

    public ProcessedEventStore Processed => stores.Processed!;

    public SagaStore Sagas => stores.Sagas!;

    public static async Task<StoreProbe> OpenAsync(VictimSettings settings, params string[] subscriptions)
    {
        var services = new ServiceCollection();
        services.AddEventBus(bus => Buses.AddBackend(bus, settings));
        var provider = services.BuildServiceProvider();
        var stores = Buses.StoresOf(services)(provider);
        await stores.OpenAsync(
            new StoreSetup(settings.Service, TimeProvider.System) { Subscriptions = subscriptions },
            CancellationToken.None);
        return new StoreProbe(stores, provider);
    }

    /// <summary>Returns the number of failed events, including dead letters.</summary>
    public ValueTask<long> CountAsync() => stores.Failures!.CountAsync(CancellationToken.None);

    /// <summary>Returns all dead letters.</summary>
    public async Task<List<FailedEvent>> DeadAsync()
    {
        if (stores.Failures!.DeadLetters is var queue and not DeadLetterStore)
        {
            return [.. await queue.ListAsync(int.MaxValue, CancellationToken.None)];
        }

        var found = new List<FailedEvent>();
        for (var page = new DeadLetterFilter { Take = 1_000 }; ;)
        {
            var entries = await Failures.DeadLetters.ListAsync(page, CancellationToken.None);
            found.AddRange(entries);
            if (entries.Count < page.Take)
            {
                return found;
            }

            page = page with { Before = entries[^1].Number };
        }
    }

    /// <summary>
    /// Returns the keys that are not marked as handled: a claim of a handled key returns that, and changes nothing.
    /// </summary>
    public async Task<List<long>> NotDoneAsync(string subscription, IEnumerable<long> numbers)
    {
        var found = new List<long>();
        foreach (var number in numbers)
        {
            var claim = await Processed.ClaimAsync(
                new ProcessedKey(subscription, Numbers.ToId(number)),
                0,
                TimeProvider.System.GetUtcNow(),
                TimeSpan.FromSeconds(1),
                CancellationToken.None);
            if (claim.State != ProcessedState.Done)
            {
                found.Add(number);
            }
        }

        return found;
    }

    public async ValueTask DisposeAsync()
    {
        await stores.CloseAsync();
        await services.DisposeAsync();
    }
}
