using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace EventBus;

/// <summary>
/// Declares the allowed range of an option: a number, a time, or each entry of a list of them. Null is allowed.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedRangeAttribute : ValidationAttribute
{
    private readonly Func<object, bool> isAllowed;
    private readonly string range;

    /// <summary>Allows integers from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public AllowedRangeAttribute(long min, long max)
    {
        isAllowed = value => Convert.ToInt64(value, CultureInfo.InvariantCulture) is var number && number >= min && number <= max;
        range = string.Create(CultureInfo.InvariantCulture, $"{min:N0} to {max:N0}");
    }

    /// <summary>Allows numbers from <paramref name="min"/> to <paramref name="max"/>, and not NaN.</summary>
    public AllowedRangeAttribute(double min, double max)
    {
        isAllowed = value => (double)value >= min && (double)value <= max;
        range = string.Create(CultureInfo.InvariantCulture, $"{min} to {max}");
    }

    /// <summary>Allows times from <paramref name="min"/> to <paramref name="max"/>.</summary>
    public AllowedRangeAttribute(string min, string max)
    {
        var (shortest, longest) = (TimeSpan.Parse(min, CultureInfo.InvariantCulture), TimeSpan.Parse(max, CultureInfo.InvariantCulture));
        isAllowed = value => (TimeSpan)value >= shortest && (TimeSpan)value <= longest;
        range = $"{min} to {max}";
    }

    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) => value switch
    {
        null => null,
        IEnumerable list when list.Cast<object>().FirstOrDefault(each => !isAllowed(each)) is { } wrong =>
            Problem("has the entry", wrong, validationContext),
        not IEnumerable when !isAllowed(value) => Problem("is", value, validationContext),
        _ => null,
    };

    private ValidationResult Problem(string verb, object value, ValidationContext context) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{context.DisplayName} {verb} {value}; {range} are allowed."));
}
