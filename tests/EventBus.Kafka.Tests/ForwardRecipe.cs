using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Kafka.Tests;

/// <summary>The code of the recipe in docs/concepts.md.</summary>
internal static class ForwardRecipe
{
    public static void Add(IServiceCollection services, IConfiguration settings)
    {
        #region recipe
        services.AddEventBus(bus => bus
            .UseRabbitMq(settings.GetSection("EventBus:RabbitMq"))
            .StoreInSqlite("Data Source=/var/lib/shop/shop.db")
            .Forward("order.*", to: "analytics", configure: s => s.CircuitBreaker(failures: 10, within: TimeSpan.FromMinutes(1))));
        services.AddKeyedEventBus("analytics", bus => bus
            .UseKafka(settings.GetSection("EventBus:Kafka")));
        #endregion
    }
}
