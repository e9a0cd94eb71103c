using System.Globalization;
using EventBus.Sagas;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that each kind of publish that fails is logged, whether or not its task is awaited.</summary>
public sealed class FailedPublishTests : IDisposable
{
    private static readonly Exception Cause = new InvalidOperationException("Away.");

    private readonly OutcomeTransport transport = new();
    private readonly LogMemory log = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static PublishOptions Brief => new() { EventId = "e-1", Timeout = TimeSpan.FromMilliseconds(100) };

    private IEnumerable<string> Failures => log.Entries.Where(entry => entry.Text.StartsWith("Publishing ", StringComparison.Ordinal))
        .Select(entry => entry.Text);

    public void Dispose() => log.Dispose();

    [Theory]
    [InlineData(PublishStatus.Rejected, "Rejected")]
    [InlineData(PublishStatus.Failed, "Failed")]
    [InlineData(PublishStatus.InDoubt, "InDoubt")]
    public async Task Publish_NotAcceptedAndNotAwaited_IsLoggedOnceWithItsOutcome(PublishStatus status, string outcome)
    {
        await using var running = await StartAsync();
        transport.Answer = _ => Outcome(status);

        _ = running.Bus.PublishAsync(new OrderPlaced("1"), Brief, Token);
        await LoggedAsync();

        var entry = Assert.Single(Failures);
        Assert.StartsWith($"Publishing order.placed e-1 failed ({outcome}): ", entry, StringComparison.Ordinal);
        Assert.Contains("Away.", entry, StringComparison.Ordinal);
        Assert.Single(log.At(LogLevel.Error));
    }

    [Fact]
    public async Task Publish_WithoutOptionsNotAccepted_IsLogged()
    {
        await using var running = await StartAsync();
        transport.Answer = _ => Outcome(PublishStatus.InDoubt);

        _ = running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await LoggedAsync();

        Assert.Contains("(InDoubt)", Assert.Single(Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_TransportThrows_IsLogged()
    {
        await using var running = await StartAsync();
        transport.Answer = _ => throw new InvalidOperationException("Broken.");

        _ = running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await LoggedAsync();

        Assert.Contains("Broken.", Assert.Single(Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_ThatViolatesARule_IsLogged()
    {
        await using var running = await StartAsync();

        await FailAsync(() => running.Bus.PublishAsync(new OrderPlaced(new string('x', 300_000)), Token));
        await FailAsync(() => running.Bus.PublishAsync(new List<OrderPlaced>(), Token));

        Assert.Equal(["order.placed", "List`1"], Failures.Select(text => text.Split(' ')[1]));
        Assert.All(Failures, text => Assert.Contains("(Rejected)", text, StringComparison.Ordinal));
        Assert.All(Failures, text => Assert.DoesNotContain("xxx", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_OutsideOfTheRun_IsLogged()
    {
        using var host = RunningBus.Build(bus => bus.UseTransport("UseScripted()", _ => transport), services: AddLog);
        var bus = host.Services.GetRequiredService<IEventBus>();

        await FailAsync(() => bus.PublishAsync(new OrderPlaced("1"), Token));
        await FailAsync(() => bus.PublishManyAsync([new OrderShipped("1")], cancellationToken: Token));

        Assert.Equal(["order.placed", "order.shipped"], Failures.Select(text => text.Split(' ')[1]));
    }

    [Fact]
    public async Task Publish_AfterTheStop_LogsNothingLater()
    {
        var time = new FakeTimeProvider();
        await using var running = await StartAsync(time);
        await running.StopAsync();

        await FailAsync(() => running.Bus.PublishAsync(new OrderPlaced("1"), Token));
        await FailAsync(() => running.Bus.PublishAsync(new OrderPlaced("2"), Token));
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.Contains("has stopped", Assert.Single(Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_WithoutAnyStart_IsReportedAtTheDisposalAndNotLater()
    {
        var time = new FakeTimeProvider();
        var host = RunningBus.Build(bus => bus.UseTransport("UseScripted()", _ => transport), time, AddLog);
        var bus = host.Services.GetRequiredService<IEventBus>();
        await FailAsync(() => bus.PublishAsync(new OrderPlaced("1"), Token));
        await FailAsync(() => bus.PublishAsync(new OrderPlaced("2"), Token));

        await ((IAsyncDisposable)host).DisposeAsync();
        Assert.Contains("failed 1 times", Failures.Last(), StringComparison.Ordinal);

        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, Failures.Count());
    }

    [Fact]
    public async Task Publish_DelayedWithoutAStore_IsLogged()
    {
        await using var running = await StartAsync();

        await FailAsync(() => running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Delay = TimeSpan.FromDays(1) }, Token));

        Assert.Contains("no configured store keeps delayed events", Assert.Single(Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task PublishMany_SomeNotAccepted_LogsEachNameAndKindAtOnce()
    {
        await using var running = await StartAsync();
        transport.Answer = envelope =>
            envelope.Name == "order.placed" ? Outcome(PublishStatus.InDoubt) : PublishOutcome.Accepted;

        await FailAsync(() => running.Bus.PublishManyAsync<object>(
            [new OrderShipped("1"), new OrderPlaced("1"), new OrderPlaced(new string('x', 300_000)), new List<string>()],
            cancellationToken: Token));

        Assert.Equal(
            ["List`1 (Rejected)", "order.placed (InDoubt)", "order.placed (Rejected)"],
            Failures.Select(text => $"{text.Split(' ')[1]} {text.Split("failed ")[1].Split(':')[0]}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task PublishMany_StreamNotAccepted_LogsTheEventsThatAreNotSentToo()
    {
        PublishManyException failure;
        await using (var running = await StartAsync(new FakeTimeProvider()))
        {
            transport.Answer = _ => Outcome(PublishStatus.Rejected);
            failure = await Assert.ThrowsAsync<PublishManyException>(
                () => running.Bus.PublishManyAsync(Orders(2_000), cancellationToken: Token));
        }

        // The stop reports what was only counted until then.
        var logged = Failures.Sum(
            text => text.Contains(" times since ", StringComparison.Ordinal)
                ? int.Parse(text.Split(' ')[3], CultureInfo.InvariantCulture)
                : 1);
        Assert.Equal(failure.Items.Count(item => item is not null), logged);

        static async IAsyncEnumerable<OrderPlaced> Orders(int count)
        {
            for (var i = 0; i < count; i++)
            {
                await Task.Yield();
                yield return new OrderPlaced($"{i}");
            }
        }
    }

    [Fact]
    public async Task Publish_CancelledByItsCaller_IsNoFailure()
    {
        await using var running = await StartAsync();
        var gate = new TaskCompletionSource();
        transport.Gate = gate.Task;
        using var caller = new CancellationTokenSource();

        Task[] publishing = [
            running.Bus.PublishAsync(new OrderPlaced("1"), caller.Token),
            running.Bus.PublishAsync(new OrderPlaced("2"), new PublishOptions { Timeout = TimeSpan.FromHours(1) }, caller.Token),
            running.Bus.PublishManyAsync([new OrderPlaced("3")], cancellationToken: caller.Token)
        ];
        await caller.CancelAsync();
        foreach (var one in publishing)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        }

        gate.SetResult();
        Assert.Empty(Failures);
    }

    [Fact]
    public async Task Publish_Accepted_LogsNothing()
    {
        await using var running = await StartAsync();

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Brief, Token);
        await running.Bus.PublishManyAsync([new OrderPlaced("1")], cancellationToken: Token);

        Assert.Empty(Failures);
    }

    [Fact]
    public async Task ContextPublish_NotAccepted_IsLoggedAsAWarningBecauseTheHandlerRunsAgain()
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory().Event<OrderShipped>().RequireSubscriber();
                bus.Subscribe<OrderPlaced>("ship", (order, context, ct) => context.PublishAsync(new OrderShipped(order.OrderId), ct));
            },
            new FakeTimeProvider(),
            AddLog);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Single(log.At(LogLevel.Warning), text => text.StartsWith("Publishing order.shipped ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ContextPublish_ThatViolatesARule_IsLoggedAlthoughTheHandlerIgnoresIt()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>(
                "ship", (_, context, ct) => FailAsync(() => context.PublishAsync(new OrderShipped(new string('x', 300_000)), ct))),
            services: AddLog);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Single(log.At(LogLevel.Error), text => text.StartsWith("Publishing order.shipped ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SagaPublish_NotAccepted_IsLogged()
    {
        var script = new Script { Doing = (_, context, ct) => context.PublishAsync(new OrderShipped("1"), ct) };
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory().AddSaga<BookTrip, Trip>();
                bus.Event<OrderShipped>().RequireSubscriber();
            },
            services: services => AddLog(services.AddScoped(_ => new BookTrip(script, (saga, s) => saga.Step("flight", s)))));

        await running.Services.GetRequiredService<ISagas>().StartAsync(new Trip("ada"), "trip-1", Token);
        await LoggedAsync();

        Assert.Contains("Publishing order.shipped ", Failures.First(), StringComparison.Ordinal);
    }

    private static PublishOutcome Outcome(PublishStatus status) => status switch
    {
        PublishStatus.Rejected => PublishOutcome.Rejected(Cause),
        PublishStatus.Failed => PublishOutcome.Failed(Cause),
        _ => PublishOutcome.InDoubt(Cause),
    };

    private static async Task FailAsync(Func<Task> publish) =>
        await Assert.ThrowsAnyAsync<EventBusException>(publish);

    private Task LoggedAsync() => Until.TrueAsync("the failure is logged", () => Failures.Any(), Token);

    private void AddLog(IServiceCollection services) => services.AddLogging(logging => logging.AddProvider(log));

    private Task<RunningBus> StartAsync(TimeProvider? time = null) =>
        RunningBus.StartAsync(bus => bus.UseTransport("UseScripted()", _ => transport), time, AddLog);
}
