using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Tests the size of message properties: all attributes and headers of a message are sent in one frame, and the broker
/// closes a connection that sends a frame above the negotiated size.
/// </summary>
public sealed class FrameTests : IDisposable
{
    private const uint SmallFrame = 8_192;

    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly LogList log = new();
    private bool fails;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// The calculated size equals the transmitted size: headers that just fit are accepted, and one more byte is
    /// rejected.
    /// </summary>
    [Fact]
    public async Task Publish_HeadersOneByteLargerThanAFrame_IsRejectedAndClosesNoConnection()
    {
        await using var app = await StartAsync();
        var fitting = 0;

        // The client of these tests is traced, which leaves less space in a frame.
        for (var length = SmallFrame - 1_800; length <= SmallFrame; length++)
        {
            try
            {
                await app.Bus.PublishAsync(new TestHappened(1), new PublishOptions { Headers = HeadersOf((int)length) }, Cancel);
                fitting++;
            }
            catch (PublishException exception)
            {
                Assert.Equal(PublishFailure.Rejected, exception.Failure);
                Assert.Contains("frame_max", exception.ToString(), StringComparison.Ordinal);
                break;
            }
        }

        Assert.InRange(fitting, 1, 1_700);
        for (var i = 0; i < fitting; i++)
        {
            await handled.NextAsync("an event that fits");
        }

        Assert.Single(log.Texts, text => text.Contains("the publishing connection is open", StringComparison.Ordinal));
    }

    /// <summary>
    /// A message that another program sent in a larger frame is kept: its retries and its dead letter omit the headers
    /// that do not fit.
    /// </summary>
    [Fact]
    public async Task Retry_OfAnEventWithHeadersLargerThanAFrame_IsDeliveredAndClosesNoConnection()
    {
        fails = true;
        await using var app = await StartAsync();

        var attributes = new[] { "id", "partitionkey", "correlationid", "causationid" }.Select(
            attribute => RawPublisher.Text($"cloudEvents_{attribute}", new string('é', attribute == "id" ? 60 : 1_000)));
        await RawPublisher.PublishAsync(
            TestBroker.Uri,
            name,
            "test.happened",
            [.. attributes, RawPublisher.Text("tenant", new string('x', 20_000))],
            "{\"number\":1}");

        for (var start = 1; start <= 4; start++)
        {
            Assert.Equal(1, await handled.NextAsync($"attempt {start}"));
        }

        await Until.TrueAsync(
            "there is a dead letter",
            async () => await app.DeadLetters.CountAsync(cancellationToken: Cancel) != 0,
            Cancel);

        // The number of further omitted headers depends on the length of the error details.
        Assert.DoesNotContain("tenant", Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel)).Headers.Keys);
        Assert.Single(log.Texts, text => text.Contains("the publishing connection is open", StringComparison.Ordinal));
    }

    /// <summary>
    /// The bus uses a copy of the factory with its own socket. The copy must include settings that a later version of
    /// the client adds.
    /// </summary>
    [Fact]
    public void Factory_OfTheApplication_IsCopiedCompletely()
    {
        string[] own = [
            "AutomaticRecoveryEnabled",
            "TopologyRecoveryEnabled",
            "TopologyRecoveryFilter",
            "TopologyRecoveryExceptionHandler",
            "NetworkRecoveryInterval",
            "MaxInboundMessageBodySize"
        ];
        string[] ofTheEndpoint = ["HostName", "Port", "Ssl", "Endpoint", "Uri", "EndpointResolverFactory", "ClientProvidedName"];
        var factory = new ConnectionFactory
        {
            UserName = "user",
            Password = "secret",
            VirtualHost = "host",
            AuthMechanisms = [new ExternalMechanismFactory()],
            ClientProperties = new Dictionary<string, object?>(),
            ConsumerDispatchConcurrency = 7,
            ContinuationTimeout = TimeSpan.FromSeconds(7),
            CredentialsProvider = new BasicCredentialsProvider("", "user", "secret"),
            HandshakeContinuationTimeout = TimeSpan.FromSeconds(8),
            RequestedChannelMax = 9,
            RequestedConnectionTimeout = TimeSpan.FromSeconds(10),
            RequestedFrameMax = 11_111,
            RequestedHeartbeat = TimeSpan.FromSeconds(12),
            SocketReadTimeout = TimeSpan.FromSeconds(13),
            SocketWriteTimeout = TimeSpan.FromSeconds(14),
            AmqpUriSslProtocols = System.Security.Authentication.SslProtocols.Tls13,
        };
        var (copy, plain) = (GuardedConnection.CopyFactory(factory, null, new ConnectionTraffic()), new ConnectionFactory());

        foreach (var property in typeof(ConnectionFactory).GetProperties().Where(property =>
            property is { CanWrite: true, GetMethod.IsStatic: false }
                && !own.Contains(property.Name)
                && !ofTheEndpoint.Contains(property.Name)))
        {
            Assert.False(
                Equals(property.GetValue(plain), property.GetValue(factory)),
                $"The test sets {property.Name} to nothing of its own.");
            Assert.True(Equals(property.GetValue(factory), property.GetValue(copy)), $"{property.Name} was not copied.");
        }
    }

    public void Dispose() => log.Dispose();

    private static Dictionary<string, string> HeadersOf(int length) =>
        Enumerable.Range(0, (length / 1_000) + 1).ToDictionary(i => $"h{i}", i => new string('x', Math.Min(1_000, length - (i * 1_000))));

    private Task<TestBus> StartAsync() => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddLogging(logging => logging.AddProvider(log));
        bus.Services.AddSingleton<IConnectionFactory>(new ConnectionFactory { Uri = TestBroker.Uri, RequestedFrameMax = SmallFrame });
        bus.UseRabbitMq(options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromMilliseconds(100)]))
            .Retry(3, TimeSpan.FromMilliseconds(100))
            .Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return fails ? throw new InvalidOperationException("As it was asked to.") : Task.CompletedTask;
            });
    });
}
