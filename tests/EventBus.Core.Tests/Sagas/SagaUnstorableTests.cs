using System.Collections.Concurrent;
using System.Text;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Sagas;

/// <summary>
/// Shows that one saga that the store refuses needs an operator, delays no other saga, and does not count as an outage
/// of the store.
/// </summary>
public sealed class SagaUnstorableTests : IDisposable
{
    private const string Bad = "trip-bad";

    private readonly Script script = new();
    private readonly SagaAttentionTests.Pager pager = new();
    private readonly LogMemory logs = new();
    private readonly FakeTimeProvider time = new();
    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> kept = new(StringComparer.Ordinal);
    private readonly FaultySagaStore store;

    public SagaUnstorableTests() => store = new(new InMemorySagaStore(100), kept);

    public void Dispose() => logs.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>True if the store reports this entry as the cause.</summary>
    public static TheoryData<bool> Typed => [true, false];

    [Theory, MemberData(nameof(Typed))]
    public async Task Save_OfOneSagaIsRefused_ItNeedsAttentionInItsLastStateAndOthersComplete(bool typed)
    {
        store.Before = entry => Refuse(entry.Id == Bad && Encoding.UTF8.GetString(entry.Content.Span)
            .Contains("\"Done\":[\"\\u002Bflight\"", StringComparison.OrdinalIgnoreCase), typed);
        await using var bus = await StartAsync();

        await ExpectAttentionAsync(bus);

        var info = (await bus.Sagas().FindAsync(Bad, Token))!;
        Assert.Contains("The saga could not continue", info.Error, StringComparison.Ordinal);
        Assert.Equal(["+flight"], script.Calls.Take(1));

        store.Before = _ => { };
        Assert.True(await bus.SagaManager().RetryAsync(Bad, Token));
        await UntilAsync(
            async () => (await bus.Sagas().FindAsync(Bad, Token))!.Status == SagaStatus.Completed,
            "the saga continues when it is retried");
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Save_HasNoCapacityForTheReason_ItNeedsAttentionWithoutIt(bool typed)
    {
        store.Before = entry => Refuse(entry.Id == Bad && !entry.Content.Span.SequenceEqual(kept[Bad].Span), typed);
        await using var bus = await StartAsync();

        await ExpectAttentionAsync(bus);
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Save_ImpossibleInEveryForm_LetsTheLeaseExpireAndNamesIt(bool typed)
    {
        var (refuses, attempts) = (true, 0);
        store.Before = entry => Refuse(refuses && entry.Id == Bad && Interlocked.Increment(ref attempts) > 0, typed);
        await using var bus = await StartAsync();
        await bus.Sagas().StartAsync(new Trip("ada"), Bad, Token);
        await UntilAsync(
            async () => (await HealthAsync(bus)).Description?.Contains(Bad, StringComparison.Ordinal) == true,
            "the health check names the saga");
        await bus.Sagas().StartAsync(new Trip("eve"), "trip-good", Token);
        await UntilAsync(
            async () => (await bus.Sagas().FindAsync("trip-good", Token))!.Status == SagaStatus.Completed,
            "the other saga completes");
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref attempts) > 20), "it was tried again after its lease");
        Assert.InRange(logs.At(LogLevel.Error).Count(text => text.Contains(Bad, StringComparison.Ordinal)), 1, 4);

        var health = await HealthAsync(bus);
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains("not those of 1", health.Description, StringComparison.Ordinal);
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.Contains("'sagas'", StringComparison.Ordinal)
            && entry.Level == LogLevel.Error
            && !entry.Text.Contains(Bad, StringComparison.Ordinal));

        refuses = false;
        await UntilAsync(async () => (await bus.Sagas().FindAsync(Bad, Token))!.Status == SagaStatus.NeedsAttention
            || (await bus.Sagas().FindAsync(Bad, Token))!.Status == SagaStatus.Completed, "it continues");
        await UntilAsync(async () => (await HealthAsync(bus)).Status == HealthStatus.Healthy, "the health check is content");
    }

    /// <summary>An alert that cannot be leased does not delay the alerts of other sagas.</summary>
    [Fact]
    public async Task Alert_OfOneSagaCannotBeClaimed_OthersAreSent()
    {
        script.Error = new InvalidOperationException("planned");
        script.Fail("+flight");
        script.Fail("-flight");
        store.Before = entry => Refuse(
            entry is { Id: Bad, Status: SagaStatus.NeedsAttention, DueAt: null } && entry.AlertAt > time.GetUtcNow(),
            typed: true);
        await using var bus = await StartAsync();
        await bus.Sagas().StartAsync(new Trip("ada"), Bad, Token);
        await UntilAsync(
            async () => (await bus.Sagas().FindAsync(Bad, Token))!.Status == SagaStatus.NeedsAttention,
            "the first needs attention");
        await bus.Sagas().StartAsync(new Trip("eve"), "trip-2", Token);

        await UntilAsync(() => Task.FromResult(pager.Alerts.Count > 0), "the alert of the other was sent");
        Assert.Equal(["trip-2"], pager.Alerts[0].Ids);
    }

    private static void Refuse(bool refuses, bool typed)
    {
        if (refuses)
        {
            throw typed ? new StoreRefusedException(StoreScope.Entry, "too large") : new IOException("no");
        }
    }

    private async Task ExpectAttentionAsync(RunningBus bus)
    {
        await bus.Sagas().StartAsync(new Trip("ada"), Bad, Token);
        await bus.Sagas().StartAsync(new Trip("eve"), "trip-good", Token);
        await UntilAsync(
            async () =>
            {
                Assert.DoesNotContain("accepts no writes", (await HealthAsync(bus)).Description ?? "", StringComparison.Ordinal);
                return pager.Alerts.Count > 0;
            },
            "the operator is alerted");
        await UntilAsync(
            async () => (await bus.Sagas().FindAsync("trip-good", Token))!.Status == SagaStatus.Completed,
            "the other saga completes");
        Assert.Equal([Bad], Assert.Single(pager.Alerts).Ids);
        Assert.Equal(SagaStatus.NeedsAttention, (await bus.Sagas().FindAsync(Bad, Token))!.Status);
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(bus)).Status);
    }

    private static async Task<HealthReportEntry> HealthAsync(RunningBus bus) =>
        (await bus.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries.Single().Value;

    private Task UntilAsync(Func<Task<bool>> condition, string reason) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"{reason}. {string.Join('\n', logs.Entries)}",
        condition,
        Token);

    private Task<RunningBus> StartAsync() => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory()
                .UseStores(_ => new TestBusStores("faulty", durable: false, failures: new InMemoryFailureStore(100), sagas: store))
                .AddSaga<BookTrip, Trip>();
            bus.Services.AddSingleton(pager);
            bus.AddAlert<SagaAttentionTests.Pager>();
        },
        time,
        services => services.AddScoped(_ => new BookTrip(script)).AddSingleton<ILoggerProvider>(logs).AddLogging().AddHealthChecks());
}
