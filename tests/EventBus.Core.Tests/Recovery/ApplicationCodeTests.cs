using System.Diagnostics;
using EventBus.Sagas;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that an exception in application code that the bus calls fails only the event concerned: that event is
/// retried, recorded and reported, and all others are handled.
/// </summary>
public sealed partial class ApplicationCodeTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly Seen mailed = new();
    private readonly Seen other = new();
    private readonly LogMemory log = new();

    public void Dispose() => log.Dispose();

    public static TheoryData<string> Exceptions => [.. BadException.All.Keys];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Handler_ThrowsAnExceptionWithoutAReadableText_FailsAloneAndIsRecorded(string which)
    {
        await using var bus = await StartAsync(bus => bus.Subscribe("mail", s => s.Ordered()
            .OnBlockedKey(BlockedKeyBehavior.Continue)
            .On<OrderPlaced>((e, _, _) => HandleAsync(e, BadException.All[which]))));

        var letter = await FailAndContinueAsync(bus);

        Assert.StartsWith(BadException.All[which]().GetType().ToString(), letter.Error, StringComparison.Ordinal);
        Assert.Equal(letter.Error, Assert.Single(letter.History.Select(start => start.Error).Distinct()));
        Assert.DoesNotContain("secret", $"{letter.Error} {letter.ErrorDetails}", StringComparison.Ordinal);
        Assert.DoesNotContain(log.Lines, line => line.StartsWith("forged", StringComparison.Ordinal)
            || line.Contains("secret", StringComparison.Ordinal)
            || line.Any(char.IsControl)
            || line.Length > 100_000);
        Assert.Equal(2, log.Lines.Count(line => line.Contains("for good on order.placed", StringComparison.Ordinal)
            || line.Contains("failed to handle order.placed", StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Handler_ThrowsAnExceptionWithoutAReadableTextInATrace_FailsAloneAndIsRecorded(string which)
    {
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == BusDiagnostics.Name,
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded
        };
        ActivitySource.AddActivityListener(listener);
        await using var bus = await StartAsync(bus => bus.Subscribe("mail", s => s.Idempotent()
            .CircuitBreaker(50, TimeSpan.FromMinutes(1))
            .On<OrderPlaced>((e, _, _) => HandleAsync(e, BadException.All[which]))));

        var letter = await FailAndContinueAsync(bus);
        Assert.StartsWith(BadException.All[which]().GetType().ToString(), letter.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Handler_OnTheFastPathThrowsAnExceptionWithoutAReadableText_FailsAloneAndIsRecorded(string which)
    {
        await using var bus = await StartAsync(bus => bus.Subscribe(
            "mail",
            s => s.Idempotent().On<OrderPlaced>((e, _, _) => HandleAsync(e, () => new EffectException(BadException.All[which]())))));

        var letter = await FailAndContinueAsync(bus);
        Assert.StartsWith(BadException.All[which]().GetType().ToString(), letter.Error, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Places => new()
    {
        { "guard throws", "PlannedException" },
        { "guard returns null", "returned null instead of a task" },
        { "guard decides nonsense", "which is not a value of OrderDecision" },
        { "number", "PlannedException" },
        { "idempotency key", "PlannedException" },
        { "middleware throws", "PlannedException" },
        { "middleware returns null", "returned null instead of a task" },
        { "middleware is cancelled", "OperationCanceledException" },
        { "middleware runs it twice", "PlannedException" },
        { "constructor", "PlannedException" },
        { "factory returns null", "OddHandler" },
        { "handler returns null", "returned null instead of a task" },
        { "dispose", "PlannedException" },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public async Task Code_AroundAHandlerFails_FailsAloneAndIsRecorded(string place, string expected)
    {
        // The first event fails in both of its attempts.
        var injector = new FaultInjector(place);
        await using var bus = await StartAsync(
            bus => bus.Use((context, next, token) => context.Subscription == "mail"
                ? injector.InvokeWithFaultAsync(() => next(context, token))
                : next(context, token)).Subscribe("mail", s => (place switch
                {
                    "number" => s.Sequenced<OrderPlaced>(
                        e => injector.IsSet("number") ? throw new PlannedException() : e.OrderId == "bad" ? 1 : 2,
                        configure: options => options.Timeout = TimeSpan.FromSeconds(1)),
                    "idempotency key" => s.Idempotent(options => options.KeyedBy<OrderPlaced>(
                        e => injector.IsSet("idempotency key") ? throw new PlannedException() : e.OrderId)),
                    _ when place.StartsWith("guard", StringComparison.Ordinal) => s.Guard<OrderPlaced, OddGuard>(),
                    _ => s,
                }).On<OrderPlaced, OddHandler>()),
            services => services.AddSingleton(injector).AddSingleton(mailed).AddScoped<OddGuard>().AddScoped<OddHandler>(provider =>
                injector.IsSet("constructor") ? throw new PlannedException()
                    : injector.IsSet("factory returns null") ? null!
                    : new OddHandler(injector, mailed)));

        var letter = await FailAndContinueAsync(bus, continues: place != "number");

        Assert.Contains(expected, letter.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Alert_ThrowsAnExceptionWithoutAReadableText_IsSentAgainAndBlocksNoOther(string which)
    {
        var injector = new FaultInjector("alert") { Exception = BadException.All[which] };
        await using var bus = await StartAsync(
            bus => bus.Retry(0)
                .AddAlert<OddAlert>()
                .Subscribe<OrderPlaced>("mail", (e, _, _) => HandleAsync(e, () => new PlannedException())),
            services => services.AddSingleton(new OddAlert(injector, mailed)));

        await bus.Bus.PublishAsync(new OrderPlaced("bad"), Token);
        await bus.WhenIdleAsync();
        await bus.Services.GetRequiredService<AlertInbox>().NextAsync("the event failed for good");
        await bus.PassAsync(time, TimeSpan.FromSeconds(2));
        await bus.PassAsync(time, TimeSpan.FromSeconds(4));

        Assert.Equal(["bad", "alert"], mailed.Items);
        Assert.Single(
            log.Lines,
            line => line.Contains("The alert EventBus.ApplicationCodeTests+OddAlert failed", StringComparison.Ordinal));
        Assert.Single(log.Lines, line => line.Contains("Recovered after 2 failures", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task SagaStep_ThrowsAnExceptionWithoutAReadableText_IsRetriedAndCompensated(string which)
    {
        var script = new Script();
        script.Doing = (run, context, _) => run == "+hotel" ? throw BadException.All[which]() : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync((saga, s) =>
        {
            saga.Step("flight", s, undo: true);
            saga.Step("hotel", s, undo: true).Retry(1, TimeSpan.Zero);
        });

        var result = await bus.RunTripAsync();

        Assert.Equal((SagaStatus.Compensated, "hotel"), (result.Status, result.FailedStep));
        Assert.Equal(["+flight", "+hotel", "+hotel", "-hotel", "-flight"], script.Calls);
        Assert.StartsWith(BadException.All[which]().GetType().Name, result.Error, StringComparison.Ordinal);
        Assert.True(result.Error!.Length <= 1_024 && !result.Error.Any(char.IsControl));
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task SagaCompensation_ThrowsAnExceptionWithoutAReadableText_NeedsAttentionAndAlerts(string which)
    {
        var script = new Script();
        script.Fail("+hotel");
        script.Doing = (run, context, _) => run == "-flight" ? throw BadException.All[which]() : Task.CompletedTask;
        await using var bus = await script.StartTripsAsync(
            (saga, s) =>
            {
                saga.Step("flight", s, undo: true).RetryCompensation(1, TimeSpan.Zero);
                saga.Step("hotel", s, undo: true).Retry(0);
            },
            bus => bus.AddAlert<AlertInbox>());

        var result = await bus.RunTripAsync();

        Assert.Equal(SagaStatus.NeedsAttention, result.Status);
        Assert.Equal(["+flight", "+hotel", "-hotel", "-flight", "-flight"], script.Calls);
        var alert = await bus.Services.GetRequiredService<AlertInbox>().NextAsync("a compensation failed for good");
        Assert.StartsWith(
            $"The compensation of 'flight' failed: {BadException.All[which]().GetType().Name}",
            alert.First.Error,
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Publish_GetterKeyOrHeaderThrows_IsRejectedAndNothingIsLost(string which)
    {
        await using var bus = await StartAsync(bus =>
        {
            bus.Event<OddEvent>().KeyedBy(odd => odd.Place == "key" ? throw BadException.All[which]() : odd.Place);
            bus.Subscribe<OddEvent>("mail", (e, _, _) => Note(mailed, e.Place));
        });

        foreach (var place in (string[])["getter", "key"])
        {
            var refused =
                await Assert.ThrowsAsync<PublishException>(() => bus.Bus.PublishAsync(new OddEvent(place, BadException.All[which]), Token));
            Assert.Equal(PublishFailure.Rejected, refused.Failure);
            Assert.Contains("odd.event", refused.Message, StringComparison.Ordinal);
            Assert.True(refused.Message.Length < 2_000, "The message of the refusal is too long.");
        }

        var headers = await Assert.ThrowsAsync<PublishException>(() => bus.Bus.PublishAsync(
            new OddEvent("fine", BadException.All[which]),
            new PublishOptions { Headers = new OddHeaders(BadException.All[which]) },
            Token));
        Assert.Contains("Headers cannot be read", headers.Message, StringComparison.Ordinal);
        var several = await Assert.ThrowsAsync<PublishManyException>(() => bus.Bus.PublishManyAsync<OddEvent>(
            [
                new("first", BadException.All[which]),
                new("getter", BadException.All[which]),
                new("key", BadException.All[which]),
                new("last", BadException.All[which])
            ], cancellationToken: Token));
        await bus.WhenIdleAsync();

        Assert.Equal([null, PublishFailure.Rejected, PublishFailure.Rejected, null], several.Items.Select(item => item?.Failure));
        Assert.Equal(["first", "last"], mailed.Items);
        var holes = await Assert.ThrowsAsync<PublishManyException>(
            () => bus.Bus.PublishManyAsync(new OddList(BadException.All[which]), cancellationToken: Token));
        await bus.WhenIdleAsync();
        Assert.Equal([null, PublishFailure.Rejected, null], holes.Items.Select(item => item?.Failure));
        Assert.Equal(["first", "last", "0", "2"], mailed.Items);
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(bus)).Status);
    }

    /// <summary>Publishes an event that fails, and other events before and after it becomes a dead letter.</summary>
    private async Task<DeadLetter> FailAndContinueAsync(RunningBus bus, bool continues = true)
    {
        await bus.Bus.PublishAsync(new OrderPlaced("bad"), new PublishOptions { Key = "k", EventId = "bad" }, Token);
        await bus.WhenIdleAsync();
        await bus.PassAsync(time, TimeSpan.FromSeconds(5));
        var alert = await bus.Services.GetRequiredService<AlertInbox>().NextAsync("the event failed for good");
        await bus.Bus.PublishAsync(new OrderPlaced("later"), new PublishOptions { Key = "k" }, Token);
        await bus.WhenIdleAsync();

        Assert.Equal(["bad", "later"], other.Items);
        Assert.Equal(continues ? ["later"] : [], mailed.Items.Where(item => item == "later"));
        var letter = Assert.Single(await bus.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(
            (letter.Id, "bad", DeadLetterReason.HandlerFailed, 2),
            (alert.First.Id, letter.EventId, letter.Reason, letter.Attempts));
        Assert.True(
            letter is { Error.Length: <= 1_024 and > 0, ErrorDetails.Length: <= 8_192 and > 0 } && !letter.Error.Any(char.IsControl),
            letter.Error);
        return letter;
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? more = null) =>
        RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory()
                    .Configure(options => options.Retry.Jitter = 0)
                    .Retry(1, TimeSpan.FromSeconds(5))
                    .AddAlert<AlertInbox>()
                    .Subscribe<OrderPlaced>("other", (e, _, _) => Note(other, e.OrderId));
                configure(bus);
            },
            time,
            services =>
            {
                services.AddSingleton<AlertInbox>().AddLogging(logging => logging.AddProvider(log)).AddHealthChecks();
                more?.Invoke(services);
            });

    private static async Task<HealthReportEntry> HealthAsync(RunningBus bus) =>
        (await bus.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries.Single().Value;

    private Task HandleAsync(OrderPlaced e, Func<Exception> exception)
    {
        mailed.Add(e.OrderId);
        return e.OrderId == "bad" ? throw exception() : Task.CompletedTask;
    }

    private static Task Note(Seen seen, string item)
    {
        seen.Add(item);
        return Task.CompletedTask;
    }
}
