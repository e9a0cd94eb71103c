using System.Net.Http.Json;
using Checkout;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.ReadModel;

/// <summary>
/// The shop of samples/Checkout in one form, as a web server: its checkout without simulated waits, and its queries.
/// The handlers of the sample that are the same in every form do not run.
/// </summary>
internal sealed class Shop : IAsyncDisposable
{
    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(1);

    private readonly WebApplication app;
    private readonly HttpClient http;

    private Shop(Form form, WebApplication app)
    {
        (Form, this.app) = (form, app);
        http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public Form Form { get; }

    /// <summary>Starts a shop with the orders of the plan.</summary>
    public static async Task<Shop> StartAsync(Form form, LoadPlan plan, string folder)
    {
        var orders = Path.Combine(folder, $"{form}.db");
        var readModel = form == Form.OwnFile ? Path.Combine(folder, $"{form}-read.db") : orders;
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var settings = Settings.Parse(["--store", "sqlite"]);
        builder.Services.AddShopServices(settings, orders);
        builder.Services.AddOrderHistory(settings, "");
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));
        if (form == Form.OwnFile)
        {
            var database = new ShopDatabase(readModel);
            builder.Services.AddSingleton(_ => new OrderHistory(database, hasMarks: true)).AddSingleton(_ => new OrderQueries(database));
        }

        builder.Services.AddEventBus(bus =>
        {
            bus.UseInMemory().StoreInSqlite($"Data Source={readModel}").UseJson(AppJson.Default);
            bus.Event<OrderPlaced>().KeyedBy(order => order.OrderId);
            if (form != Form.WriteTables)
            {
                bus.AddOrderHistory(settings);
            }
        });

        var app = builder.Build();
        app.MapCheckout();
        await SeedAsync(app.Services, form, plan);
        if (form == Form.WriteTables)
        {
            new WriteTableQueries(app.Services.GetRequiredService<ShopDatabase>()).Map(app);
        }

        await app.StartAsync();
        return new Shop(form, app);
    }

    public async Task CheckoutAsync(int user)
    {
        var cart = new Cart(UserOf(user), [new CartItem("book", 1), new CartItem("lamp", 2)]);
        using var response = await http.PostAsJsonAsync("/checkout", cart, AppJson.Default.Cart);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>Returns the answer to a query, which is the same text in every form.</summary>
    public Task<string> QueryAsync(Query query, int user)
    {
        var path = query == Query.Products ? "/orders/products" : "/orders";
        return http.GetStringAsync($"{(Form == Form.WriteTables ? "/write-tables" : "")}{path}?user={UserOf(user)}");
    }

    /// <summary>Waits until the events of all checkouts are handled.</summary>
    public Task WhenIdleAsync() => app.Services.GetRequiredService<IEventBus>().WhenIdleAsync(IdleLimit);

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static string UserOf(int user) => $"user-{user}";

    /// <summary>Fills the tables of orders in one statement, and then the read model by its rebuild.</summary>
    private static async Task SeedAsync(IServiceProvider services, Form form, LoadPlan plan)
    {
        // Three of 40 products in each order.
        const string Seed = """
            WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < @count)
            INSERT INTO orders (order_id, user_id, items, total, placed_at, state, version)
            SELECT
                1001 + n,
                'user-' || (n % @users),
                json_array(
                    json_object('productId', 'product-' || (n % 40), 'quantity', 1),
                    json_object('productId', 'product-' || (n / 40 % 39), 'quantity', 2),
                    json_object('productId', 'product-' || (n / 7 % 38), 'quantity', 1)),
                '59.90',
                strftime('%Y-%m-%d %H:%M:%S', 1700000000 + n * 60, 'unixepoch') || '+00:00',
                'paid',
                2
            FROM numbers
            """;
        foreach (var service in services.GetServices<RemoteService>())
        {
            service.Takes = TimeSpan.Zero;
        }

        var count = plan.Users * plan.OrdersPerUser;
        var database = services.GetRequiredService<ShopDatabase>();
        await database.ExecuteAsync(Seed, [("@count", count), ("@users", plan.Users)], CancellationToken.None);
        if (form != Form.WriteTables)
        {
            var orders = services.GetRequiredService<OrderBook>();
            await services.GetRequiredService<OrderHistory>().RebuildAsync(orders, CancellationToken.None);
        }
    }
}
