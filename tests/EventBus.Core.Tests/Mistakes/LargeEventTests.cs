using System.Reflection;
using System.Text;
using System.Text.Json;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Large events", and compares the figures of the page.</summary>
public sealed class LargeEventTests
{
    private const int KB = 1_024;

    private static readonly Customer SomeCustomer = new("ada", new string('x', 50 * KB));
    private static readonly Product[] SomeProducts =
        [.. Enumerable.Range(1, 30).Select(number => new Product($"{number}", new string('x', KB)))];

    private static readonly byte[] SomeImages = new byte[200 * KB];
    private static readonly string[] SomeHistory = [.. Enumerable.Repeat(new string('x', KB), KB)];

    private static readonly (string Content, OrderPlaced Event)[] Contents =
    [
        ("ids only", new OrderPlaced("1")),
        ("its customer, 50 KB", new OrderPlaced("1", Customer: SomeCustomer)),
        ("its products, 30 KB", new OrderPlaced("1", Products: SomeProducts)),
        ("customer and products", new OrderPlaced("1", SomeCustomer, SomeProducts)),
        ("its images, 200 KB", new OrderPlaced("1", Images: SomeImages)),
        ("its history, 1 MB", new OrderPlaced("1", History: SomeHistory)),
        ("all of them", new OrderPlaced("1", SomeCustomer, SomeProducts, SomeImages, SomeHistory)),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static string Page { get; } = File.ReadAllText(Path.Combine(
        typeof(LargeEventTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "RepositoryRoot").Value!,
        "docs",
        "mistakes.md"));

    [Fact]
    public async Task Sizes_OnThePage_AreThoseOfTheEvents()
    {
        var rows = new List<string>();
        foreach (var (content, @event) in Contents)
        {
            var size = JsonSerializer.SerializeToUtf8Bytes(@event, JsonSerializerOptions.Web).Length;
            rows.Add($"| {content} | {size:N0} | {await PublishAsync(@event)} |");
        }

        Assert.Contains(string.Join('\n', rows), Page.ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Texts_OnThePage_AreThoseOfTheBus()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(log);

        await running.Bus.PublishAsync(new OrderPlaced("1", SomeCustomer, SomeProducts), Token);
        var exception = await Assert.ThrowsAsync<PublishException>(
            () => running.Bus.PublishAsync(new OrderPlaced("1", SomeCustomer, SomeProducts, SomeImages, SomeHistory), Token));

        // The page quotes the texts, in several lines.
        var page = Page.ReplaceLineEndings("\n").Replace("\n> ", " ", StringComparison.Ordinal);
        Assert.Contains(Assert.Single(log.At(LogLevel.Warning)), page, StringComparison.Ordinal);
        Assert.Contains(exception.Message, page, StringComparison.Ordinal);
    }

    /// <summary>
    /// A program that renames a member of its customer stops each handler that requires the old name, although the
    /// handler needs only the order.
    /// </summary>
    [Theory]
    [InlineData("""{"orderId":"1","customer":{"fullName":"Ada"}}""", 0, 1)]
    [InlineData("""{"orderId":"1"}""", 1, 0)]
    public async Task Member_OfTheCustomerIsRenamed_StopsTheHandlersOfEventsThatCarryIt(string body, int handled, int dead)
    {
        var seen = new Seen();
        await using var transport = new InjectingTransport();
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseScript()", _ => transport)
            .StoreInMemory()
            .Subscribe<OrderOfAnotherProgramPlaced>("labels", (order, _, _) =>
            {
                seen.Add(order.OrderId);
                return Task.CompletedTask;
            }));

        await transport.DeliverAsync((new EnvelopeAttributes { Id = "1", Name = "order.placed" }, Encoding.UTF8.GetBytes(body)));

        Assert.Equal(handled, seen.Items.Count);
        Assert.Equal(dead, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Handler_ThatNeedsMore_FetchesItById()
    {
        var orders = new Orders();
        var labels = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderAccepted, PrintLabel>(),
            services: services => services.AddSingleton(orders).AddSingleton(labels));

        await running.Bus.PublishAsync(new OrderAccepted("1", "ada", 480m), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["the current address of order 1"], labels.Items);
    }

    private static async Task<string> PublishAsync(OrderPlaced order)
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(log);
        try
        {
            await running.Bus.PublishAsync(order, Token);
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected)
        {
            return "rejected";
        }

        return log.At(LogLevel.Warning).Any() ? "accepted, with a warning" : "accepted";
    }

    private static Task<RunningBus> StartAsync(LogMemory log) => RunningBus.StartAsync(
        bus => bus.UseInMemory().Subscribe<OrderPlaced>("receipt", (_, _, _) => Task.CompletedTask),
        services: services => services.AddLogging(logging => logging.AddProvider(log)));

    #region wrong
    public sealed record OrderPlaced(
        string OrderId,
        Customer? Customer = null,
        IReadOnlyList<Product>? Products = null,
        byte[]? Images = null,
        IReadOnlyList<string>? History = null);
    #endregion

    public sealed record Customer(string CustomerId, string Profile);

    public sealed record Product(string ProductId, string Description);

    /// <summary>The event as another program reads it, with a customer of its own.</summary>
    [EventName("order.placed")]
    public sealed record OrderOfAnotherProgramPlaced(string OrderId, NamedCustomer? Customer = null);

    public sealed record NamedCustomer
    {
        public required string Name { get; init; }
    }

    #region right
    public sealed record OrderAccepted(string OrderId, string UserId, decimal Total);

    public sealed class PrintLabel(Orders orders, Seen labels) : IEventHandler<OrderAccepted>
    {
        public async Task HandleAsync(OrderAccepted order, EventContext context, CancellationToken cancellationToken) =>
            labels.Add(await orders.AddressOfAsync(order.OrderId, cancellationToken)); // As it is now, not as it was.
    }
    #endregion

    /// <summary>Fetches the current data of an order.</summary>
    public sealed class Orders
    {
        public Task<string> AddressOfAsync(string orderId, CancellationToken cancellationToken) =>
            Task.FromResult($"the current address of order {orderId}");
    }
}
