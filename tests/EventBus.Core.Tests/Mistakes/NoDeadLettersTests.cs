using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "No dead letters".</summary>
public sealed class NoDeadLettersTests
{
    private readonly FakeTimeProvider time = new();
    private readonly MailServer mail = new();
    private readonly AlertInbox alerts = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_ThatCatchesTheError_LosesTheEvent()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(bus => bus.Subscribe<OrderPlaced, SendReceiptOrLog>(), log);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        mail.IsUp = true;
        await running.PassAsync(time, TimeSpan.FromDays(1));

        Assert.Empty(mail.Sent);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
        Assert.Equal(["no receipt for order 1"], log.At(LogLevel.Error));
    }

    [Fact]
    public async Task Handler_ThatThrows_IsRetriedThenADeadLetterWithAnAlertAndSentByOneCall()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(
            bus =>
            {
                #region right
                bus.Subscribe<OrderPlaced, SendReceipt>("receipt"); // Four attempts, then a dead letter.
                bus.AddAlert<PageTheOperators>();
                #endregion
            },
            log);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        // The three retries, each with its jitter of 20 %.
        foreach (var delay in new[] { 5, 25, 125 })
        {
            await running.PassAsync(time, TimeSpan.FromSeconds(delay * 1.2));
        }

        var alert = await alerts.NextAsync("the last retry has failed");
        Assert.Equal(("receipt", 4), (alert.First.Subscription, alert.First.Attempts));
        Assert.Equal(4, mail.Attempts);

        mail.IsUp = true;
        var deadLetters = running.DeadLetters;
        var cancellationToken = Token;
        #region retry
        await deadLetters.RetryAllAsync(new DeadLetterFilter { Subscription = "receipt" }, cancellationToken);
        #endregion
        await running.WhenIdleAsync();
        Assert.Equal(["1"], mail.Sent);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, LogMemory log) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory()),
        time,
        services => services.AddSingleton(mail).AddSingleton(alerts).AddLogging(logging => logging.AddProvider(log)));

    public sealed record OrderPlaced(string OrderId);

    #region wrong
    public sealed class SendReceiptOrLog(MailServer mail, ILogger<SendReceiptOrLog> log) : IEventHandler<OrderPlaced>
    {
        public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
        {
            try
            {
                await mail.SendReceiptAsync(order.OrderId, cancellationToken);
            }
            catch (HttpRequestException exception)
            {
                log.LogError(exception, "no receipt for order {OrderId}", order.OrderId);
            }
        }
    }
    #endregion

    #region handler
    public sealed class SendReceipt(MailServer mail) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
            mail.SendReceiptAsync(order.OrderId, cancellationToken);
    }
    #endregion

    public sealed class PageTheOperators(AlertInbox inbox) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) => inbox.NotifyAsync(alert, cancellationToken);
    }

    /// <summary>Refuses mails until it is up.</summary>
    public sealed class MailServer
    {
        private readonly Seen sent = new();
        private int attempts;

        public bool IsUp { get; set; }

        public int Attempts => Volatile.Read(ref attempts);

        public IReadOnlyList<string> Sent => sent.Items;

        public Task SendReceiptAsync(string orderId, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref attempts);
            cancellationToken.ThrowIfCancellationRequested();
            if (!IsUp)
            {
                throw new HttpRequestException("connection refused");
            }

            sent.Add(orderId);
            return Task.CompletedTask;
        }
    }
}
