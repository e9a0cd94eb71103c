using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Architecture.Tests.Readmes;

/// <summary>Runs the code of the packages' README files.</summary>
public sealed class SendReceiptTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_InIsolation_PublishesItsEvent()
    {
        var cancellationToken = Token;
        #region isolated
        var context = TestEventContext.Create(new TestEventContextOptions { EventId = "1", Attempt = 2 });
        await new SendReceipt().HandleAsync(new OrderPlaced("4711", 59.90m), context, cancellationToken);
        Assert.Equal([new ReceiptSent("4711")], context.Published);
        #endregion
    }

    [Theory]
    [InlineData("core")]
    [InlineData("in-memory")]
    public async Task Bus_OfAReadme_HandlesItsEvent(string readme)
    {
        var builder = Host.CreateApplicationBuilder();
        Action<IServiceCollection> register = readme == "core" ? ReadmeBuses.Core : ReadmeBuses.InMemory;
        register(builder.Services);
        using var host = builder.Build();
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();
        await ReadmeBuses.PublishAsync(bus, Token);
        var cancellationToken = Token;
        #region idle
        await bus.WhenIdleAsync(TimeSpan.FromSeconds(10), cancellationToken);
        #endregion
        Assert.Equal(0, await host.Services.GetRequiredService<IDeadLetters>().CountAsync(cancellationToken: Token));
        await host.StopAsync(Token);
    }
}
