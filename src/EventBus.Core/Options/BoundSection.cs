using Microsoft.Extensions.Configuration;

namespace EventBus;

/// <summary>Binds a configuration section to options, and finds its mistakes.</summary>
/// <param name="section">The section.</param>
/// <param name="keys">The keys that the section may have.</param>
/// <param name="bind">
/// Binds a section to options. Generated code of the assembly that declares the options, which needs no reflection.
/// </param>
internal sealed class BoundSection<TOptions>(IConfiguration section, OptionsKeys keys, Action<IConfiguration, TOptions> bind)
    where TOptions : class, new()
{
    public BoundPath BoundPath { get; } = new((section as IConfigurationSection)?.Path ?? "")
    {
        Section = section as IConfigurationSection,
        Keys = keys,
    };

    /// <summary>
    /// Binds the section without the values that cannot be converted, which <see cref="Problems"/> reports, so that the
    /// same start also finds the mistakes in the others.
    /// </summary>
    public void Bind(TOptions options)
    {
        var unreadable = Unreadable().ToHashSet(StringComparer.OrdinalIgnoreCase);
        bind(unreadable.Count == 0 ? section : Without(unreadable), options);
    }

    /// <summary>
    /// Finds unknown keys and values that cannot be converted. The texts contain keys and never values.
    /// </summary>
    /// <param name="isBoundElsewhere">Returns true for a path that is bound to other options.</param>
    public IEnumerable<string> Problems(Func<string, bool> isBoundElsewhere) =>
        [
            .. keys.Problems(section, isBoundElsewhere),
            .. Unreadable().Select(path => $"The value of '{Full(path)}' cannot be read; {Expected(keys.TypeOf(path))} is expected.")
        ];

    /// <summary>
    /// Returns the paths of the values that cannot be converted, each bound alone to find all of them.
    /// </summary>
    private IEnumerable<string> Unreadable() =>
        section.AsEnumerable(makePathsRelative: true).Where(pair => pair.Value is not null && !CanBind(pair)).Select(pair => pair.Key);

    private IConfigurationRoot Without(HashSet<string> paths) => new ConfigurationBuilder()
        .AddInMemoryCollection(section.AsEnumerable(makePathsRelative: true).Where(pair => !paths.Contains(pair.Key)))
        .Build();

    private bool CanBind(KeyValuePair<string, string?> pair)
    {
        try
        {
            bind(new ConfigurationBuilder().AddInMemoryCollection([pair]).Build(), new TOptions());
            return true;
        }
        catch (InvalidOperationException)
        {
            // The exception is not kept, because its message contains the value, which may be secret.
            return false;
        }
    }

    private string Full(string path) => BoundPath.Path.Length > 0 ? ConfigurationPath.Combine(BoundPath.Path, path) : path;

    private static string Expected(Type? type)
    {
        if (type is null)
        {
            return "a text";
        }

        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type == typeof(string) => "a text",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(int) || type == typeof(long) => "a whole number",
            _ when type == typeof(double) => "a number such as 0.2",
            { IsEnum: true } => string.Join(" or ", Enum.GetNames(type)),
            _ => "a time such as 00:00:30",
        };
    }
}
