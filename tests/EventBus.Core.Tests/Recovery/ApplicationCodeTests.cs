using System.Collections.ObjectModel;
using System.Diagnostics;
using EventBus.Sagas;
using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Code of the application that fails where the bus touches it is a failure of that event alone: retried, kept,
/// reported, and passed by all others.
/// </summary>
public sealed class ApplicationCodeTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly Seen mailed = new();
    private readonly Seen other = new();
    private readonly ConsoleLog log = new();

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
        // The first event fails, at each of its two starts.
        var trap = new Trap(place);
        await using var bus = await StartAsync(
            bus => bus.Use((context, next, token) => context.Subscription == "mail"
                ? trap.AroundAsync(() => next(context, token))
                : next(context, token)).Subscribe("mail", s => (place switch
                {
                    "number" => s.Sequenced<OrderPlaced>(
                        e => trap.IsSet("number") ? throw new PlannedException() : e.OrderId == "bad" ? 1 : 2,
                        configure: options => options.Timeout = TimeSpan.FromSeconds(1)),
                    "idempotency key" => s.Idempotent(options => options.KeyedBy<OrderPlaced>(
                        e => trap.IsSet("idempotency key") ? throw new PlannedException() : e.OrderId)),
                    _ when place.StartsWith("guard", StringComparison.Ordinal) => s.Guard<OrderPlaced, OddGuard>(),
                    _ => s,
                }).On<OrderPlaced, OddHandler>()),
            services => services.AddSingleton(trap).AddSingleton(mailed).AddScoped<OddGuard>().AddScoped<OddHandler>(provider =>
                trap.IsSet("constructor") ? throw new PlannedException()
                    : trap.IsSet("factory returns null") ? null!
                    : new OddHandler(trap, mailed)));

        var letter = await FailAndContinueAsync(bus, continues: place != "number");

        Assert.Contains(expected, letter.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Exceptions))]
    public async Task Alert_ThrowsAnExceptionWithoutAReadableText_IsSentAgainAndBlocksNoOther(string which)
    {
        var trap = new Trap("alert") { Exception = BadException.All[which] };
        await using var bus = await StartAsync(
            bus => bus.Retry(0)
                .AddAlert<OddAlert>()
                .Subscribe<OrderPlaced>("mail", (e, _, _) => HandleAsync(e, () => new PlannedException())),
            services => services.AddSingleton(new OddAlert(trap, mailed)));

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

    /// <summary>Publishes an event that fails, and others before and after it is given up.</summary>
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

    /// <summary>Springs twice.</summary>
    private sealed class Trap(string place)
    {
        private int left = 2;

        public Func<Exception> Exception { get; init; } = () => new PlannedException();

        public bool IsSet(string here) => here == place && left-- > 0;

        public async Task RunAsync(Func<Task> next)
        {
            await next();
            if (IsSet("middleware runs it twice"))
            {
                await next();
                throw new PlannedException();
            }
        }

        public Task AroundAsync(Func<Task> next) =>
            IsSet("middleware throws") ? throw new PlannedException()
            : IsSet("middleware is cancelled") ? throw new OperationCanceledException()
            : IsSet("middleware returns null") ? null!
            : RunAsync(next);
    }

    private sealed class PlannedException() : Exception("planned");

    private sealed class OddGuard(Trap trap) : IOrderGuard<OrderPlaced>
    {
        public Task<OrderDecision> DecideAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            trap.IsSet("guard throws") ? throw new PlannedException()
            : trap.IsSet("guard returns null") ? null!
            : Task.FromResult(trap.IsSet("guard decides nonsense") ? (OrderDecision)7 : OrderDecision.Proceed);
    }

    private sealed class OddHandler(Trap trap, Seen seen) : IEventHandler<OrderPlaced>, IDisposable
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            trap.IsSet("handler returns null") ? null! : Note(seen, @event.OrderId);

        public void Dispose()
        {
            if (trap.IsSet("dispose"))
            {
                throw new PlannedException();
            }
        }
    }

    private sealed class OddAlert(Trap trap, Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
            trap.IsSet("alert") ? throw trap.Exception() : Note(seen, "alert");
    }

    private sealed record OddEvent(string Place, [property: System.Text.Json.Serialization.JsonIgnore] Func<Exception> Exception)
    {
        public string Getter => Place == "getter" ? throw Exception() : "fine";
    }

    private sealed class OddHeaders(Func<Exception> exception)
        : ReadOnlyDictionary<string, string>(new Dictionary<string, string> { ["a"] = "b" }), IReadOnlyDictionary<string, string>
    {
        int IReadOnlyCollection<KeyValuePair<string, string>>.Count => throw exception();
    }

    private sealed class OddList(Func<Exception> exception) : IReadOnlyList<OddEvent>
    {
        public int Count => 3;

        public OddEvent this[int index] => index == 1 ? throw exception() : new OddEvent($"{index}", exception);

        public IEnumerator<OddEvent> GetEnumerator() => throw exception();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>
    /// Writes what the console logger writes: the message, then the exception, line by line. Looks at what other log
    /// providers look at, too.
    /// </summary>
    private sealed class ConsoleLog : ILoggerProvider, ILogger
    {
        private readonly List<string> lines = [];

        public IReadOnlyList<string> Lines
        {
            get
            {
                lock (lines)
                {
                    return [.. lines];
                }
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            var text = $"{formatter(state, exception)}\n{exception?.ToString().ReplaceLineEndings("\n")}\n"
                + $"{exception?.StackTrace?.ReplaceLineEndings("\n")}\n{exception?.Message}\n{exception?.InnerException?.Message}";
            lock (lines)
            {
                lines.AddRange(text.Split('\n'));
            }
        }

        public void Dispose()
        {
        }
    }
}
