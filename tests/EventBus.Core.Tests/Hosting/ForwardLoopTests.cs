using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Loops of forwards that no application can see when it starts.</summary>
public sealed class ForwardLoopTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Forward_InACircleOfTwoApplications_EndsAsADeadLetter()
    {
        var (orders, copies) = (new ScriptedLog(1), new ScriptedLog(1));
        await using var shop = await StartAsync("shop", orders, copies);
        await using var audit = await StartAsync("audit", copies, orders);

        await shop.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1" }, Cancelled);
        var letter = await shop.WhenDeadLetterAsync();

        Assert.Equal(("e1", DeadLetterReason.PermanentFailure, 1), (letter.EventId, letter.Reason, letter.Attempts));
        Assert.Contains("it has come back to the bus 'shop'", letter.Error, StringComparison.Ordinal);
        await Until.TrueAsync("both deliveries of the shop are settled", () => orders.Committed(0) == 2, Cancelled);
        Assert.Equal(1, copies.Committed(0));
    }

    [Fact]
    public async Task Forward_ToABusOnTheSameServer_EndsAsADeadLetter()
    {
        var orders = new ScriptedLog(1);
        await using var shop = await StartAsync("shop", orders, orders);

        await shop.Bus.PublishAsync(new OrderPlaced("1"), Cancelled);

        Assert.Contains("uses the same server", (await shop.WhenDeadLetterAsync()).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a,b,c,d,e,f,g", "a,b,c,d,e,f,g,shop")]
    [InlineData("shop2,other+shop", "shop2,other+shop,shop")]
    [InlineData("", "shop")]
    public void Create_FewerHopsThanTheMaximum_AddsTheBus(string mark, string expected) =>
        Assert.Equal(expected, ForwardedEnvelope.Create(Marked(mark), "shop").Headers[ForwardedEnvelope.Header]);

    [Theory]
    [InlineData("a,b,c,d,e,f,g,h", "forwarded 8 times")]
    [InlineData(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,", "forwarded 8 times")]
    [InlineData("a,shop,b", "come back to the bus 'shop'")]
    public void Create_ALoop_IsRejectedWithoutTheMark(string mark, string reason)
    {
        var error = Assert.Throws<PublishException>(() => ForwardedEnvelope.Create(Marked(mark), "shop"));

        Assert.Equal(PublishFailure.Rejected, error.Failure);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(mark, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_WithTheMarkAsAHeader_IsRejected()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));
        var options = new PublishOptions { Headers = new Dictionary<string, string> { ["Eventbus.Forwarded-By"] = "shop" } };

        var error = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced("1"), options, Cancelled));

        Assert.Equal(PublishFailure.Rejected, error.Failure);
    }

    private static Envelope Marked(string mark) => new(
        new EnvelopeAttributes
        {
            Id = "e1",
            Name = "order.placed",
            Headers = new Dictionary<string, string> { [ForwardedEnvelope.Header] = mark },
        },
        []);

    /// <summary>Starts an application that forwards the events of one log to another.</summary>
    private static async Task<RunningBus> StartAsync(string service, ScriptedLog from, ScriptedLog to)
    {
        var connection = from.Connect();
        var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("UseLog()", _ => connection).StoreInMemory().Configure(options => options.ServiceName = service)
                .Forward("order.#", to: "copies"),
            services: services => services.AddKeyedEventBus("copies", bus => bus.UseTransport("UseLog()", _ => to.Connect())));
        from.Assign(0, connection);
        return running;
    }
}
